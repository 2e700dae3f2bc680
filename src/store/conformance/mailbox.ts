/** Messages to workers and nodes. */
import { describe, expect } from 'vitest'
import type { Message } from '../contract/index.ts'
import { type Case, RACE_ROUNDS } from './fixture.ts'
import { SEEDS } from './hostile-texts.ts'

const KEPT = { completedMs: 0, failedMs: 0, cancelledMs: 0 }

/** The cases of messages. */
export function mailboxCases(test: Case): void {
  describe('mailbox', () => {
    test('gives what was posted, oldest first, each once', async (f) => {
      const { cluster } = f.store
      const postedAt = await f.store.time()
      await cluster.post({ to: 'w1', verb: 'pause', by: 'ana', ttlMs: 60_000 })
      f.clock.advance(5)
      await cluster.post({ to: 'w1', verb: 'resume', by: 'ben', ttlMs: 1_000 })
      await cluster.post({ to: 'w1', verb: 'restart', by: 'ben', ttlMs: 1_000.5 })
      await cluster.post({ to: 'w1', verb: 'stop', by: '', ttlMs: 1_000 })

      expect(await cluster.take('w1')).toEqual([
        { to: 'w1', verb: 'pause', by: 'ana', postedAt, expiresAt: postedAt + 60_000 },
        ...(['resume', 'restart', 'stop'] as const).map((verb) => ({
          to: 'w1',
          verb,
          by: verb === 'stop' ? '' : 'ben',
          postedAt: postedAt + 5,
          expiresAt: postedAt + 1_005,
        })),
      ])
      expect(await cluster.take('w1')).toEqual([])
    })

    test('gives nobody what another is told', async (f) => {
      const { cluster } = f.store
      const ids = ['w1', 'W1', 'w1 ', 'ẁ1', ...SEEDS]
      for (const id of ids) await cluster.post({ to: id, verb: 'pause', by: id, ttlMs: 1_000 })

      expect(await cluster.take('w')).toEqual([])

      for (const id of ids) expect(await cluster.take(id)).toMatchObject([{ to: id, by: id }])
    })

    test('never gives a message whose time is over, and gives those behind it', async (f) => {
      const { cluster } = f.store
      for (let i = 0; i < 101; i++) await cluster.post({ to: 'w1', verb: 'stop', by: 'ana', ttlMs: 1_000 })
      await cluster.post({ to: 'w1', verb: 'pause', by: 'ana', ttlMs: 1_001 })
      f.clock.advance(1_000)

      expect((await cluster.take('w1')).map(({ verb }) => verb)).toEqual(['pause'])
      expect(await cluster.take('w1')).toEqual([])
    })

    test('gives a hundred at once, and the rest later', async (f) => {
      const { cluster } = f.store
      const names = Array.from({ length: 103 }, (_, i) => `${i}`)
      for (const by of names) await cluster.post({ to: 'w1', verb: 'pause', by, ttlMs: 1_000 })

      expect((await cluster.take('w1')).map(({ by }) => by)).toEqual(names.slice(0, 100))
      expect((await cluster.take('w1')).map(({ by }) => by)).toEqual(names.slice(100))
    })

    test('is heard over another connection, before its recipient has ever been seen', async (f) => {
      const other = await f.connect()
      await other.cluster.post({ to: 'later', verb: 'pause', by: 'ana', ttlMs: 1_000 })
      await f.store.cluster.beat({
        ...{ id: 'later', host: 'h', pid: 1, version: '1', names: [], queues: null, concurrency: 1, running: 0 },
        ...{ node: null, status: 'running', health: null },
      })

      expect(await f.store.cluster.take('later')).toHaveLength(1)
    })

    test('is pruned when its time is over, beside jobs that are', async (f) => {
      const { cluster } = f.store
      for (const ttlMs of [10, 10, 10, 600_000]) await cluster.post({ to: 'w1', verb: 'pause', by: 'ana', ttlMs })
      f.clock.advance(10)

      for (let i = 0; i < 3; i++) expect(await f.jobs.prune(KEPT, 1)).toBe(0)

      expect(await cluster.take('w1')).toHaveLength(1)
    })
  })

  describe('races of the mailbox', () => {
    test('several who take at once get each message once', async (f) => {
      const stores = [f.store, await f.connect(), await f.connect()]
      const count = RACE_ROUNDS * 2
      const taken: Message[] = []
      let isPosted = false
      const posting = (async () => {
        for (let i = 0; i < count; i++) {
          await f.store.cluster.post({ to: 'w1', verb: 'pause', by: `${i}`, ttlMs: 600_000 })
        }
        isPosted = true
      })()
      const takers = stores.map(async ({ cluster }) => {
        for (;;) {
          const isLast = isPosted
          const some = await cluster.take('w1')
          taken.push(...some)
          if (some.length === 0 && isLast) return
          // A store that answers within the turn lets others have theirs.
          await new Promise(setImmediate)
        }
      })
      await Promise.all([posting, ...takers])

      expect(taken.map(({ by }) => Number(by)).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: count }, (_, i) => i),
      )
    }, 120_000)
  })
}
