/** Who is alive. */
import { describe, expect } from 'vitest'
import { type Case, nth } from './fixture.ts'

const NODE = {
  id: 'n1',
  host: 'h',
  pid: 7,
  version: '1.0.0',
  names: ['a', 'b'],
  queues: ['q'],
  concurrency: 10,
  running: 3,
  node: null,
  status: 'running',
  health: null,
} as const

const HEALTH = {
  rssBytes: 61_000_000,
  pssBytes: 38_000_000,
  heapBytes: 21_000_000,
  cpu: 0.25,
  loopDelayP50Ms: 0.1,
  loopDelayP99Ms: 12.5,
  storeAnsweredMs: 40,
  jobsDone: 1_234_567,
  node: '24.21.0',
}

/** The cases of who is alive. */
export function clusterCases(test: Case): void {
  describe('cluster', () => {
    test('shows a node as it last reported itself', async (f) => {
      const startedAt = await f.store.time()
      await f.store.cluster.beat(NODE)
      f.clock.advance(1_000)
      await f.store.cluster.beat({ ...NODE, running: 5, queues: null })

      expect(await f.store.cluster.nodes(60_000)).toEqual([
        { ...NODE, running: 5, queues: null, startedAt, seenAt: startedAt + 1_000 },
      ])
    })

    test('shows the node that started a worker, its status and its health, as they last were', async (f) => {
      const { cluster } = f.store
      const seen = async () => {
        const [row] = await cluster.nodes(60_000)
        return row === undefined ? undefined : { node: row.node, status: row.status, health: row.health }
      }
      const told = [
        { node: 'supervisor', status: 'running', health: HEALTH },
        { node: 'supervisor', status: 'paused', health: { ...HEALTH, pssBytes: null } },
        { node: 'another', status: 'draining', health: { ...HEALTH, cpu: 1.75, jobsDone: 2 } },
        { node: null, status: 'running', health: null },
      ] as const
      for (const one of told) {
        await cluster.beat({ ...NODE, ...one })
        expect(await seen()).toEqual(one)
      }
    })

    test('shows only nodes that were seen lately', async (f) => {
      await f.store.cluster.beat(NODE)
      f.clock.advance(5_000)
      await f.store.cluster.beat({ ...NODE, id: 'n2' })

      const ids = async (withinMs: number) => (await f.store.cluster.nodes(withinMs)).map((node) => node.id).sort()

      expect(await ids(4_999)).toEqual(['n2'])
      expect(await ids(5_000)).toEqual(['n1', 'n2'])
    })

    test('is seen over another connection', async (f) => {
      const other = await f.connect()
      await other.cluster.beat(NODE)

      expect(nth(await f.store.cluster.nodes(1_000), 0).id).toBe('n1')
    })

    test('removes a node, more than once', async (f) => {
      await f.store.cluster.beat(NODE)
      await f.store.cluster.remove('n1')
      await f.store.cluster.remove('n1')

      expect(await f.store.cluster.nodes(60_000)).toEqual([])
    })

    test('tells ids apart by every character', async (f) => {
      for (const id of ['n', 'N', 'n ', 'ñ']) await f.store.cluster.beat({ ...NODE, id })

      expect(await f.store.cluster.nodes(1_000)).toHaveLength(4)
    })
  })
}
