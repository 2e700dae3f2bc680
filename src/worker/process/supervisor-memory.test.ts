import { describe, expect, test } from 'vitest'
import { type FakeChild, type FakeNode, fakeNode } from '../../../test/support/fake-node.ts'
import { until } from '../../../test/support/node-run.ts'

const MIB = 2 ** 20
const NEVER = Number.POSITIVE_INFINITY
const IDLE_BYTES = 50_000_000

/** A worker that has grown by so much says so each quarter of a second, until `is` holds. */
async function grown(node: FakeNode, child: FakeChild, mib: number, is: () => boolean, jobsDone = 0): Promise<void> {
  await until(async () => {
    child.pulse({ jobsDone, health: { ...HEALTH, rssBytes: IDLE_BYTES + mib * MIB } })
    node.clock.advance(250)
    await node.turn()
    return is()
  }).toBe(true)
}

const HEALTH = {
  ...{ pssBytes: null, heapBytes: 1, cpu: 0, loopDelayP50Ms: 0, loopDelayP99Ms: 0 },
  ...{ storeAnsweredMs: 0, jobsDone: 0, node: 'v24' },
}

const wasAskedToCollect = (node: FakeNode) => node.kinds(0).includes('collect')

describe('a worker with a memory limit', () => {
  test('is named for replacement when it holds more after its garbage was collected, and killed beyond twice as much', async () => {
    const node = await fakeNode({ limits: { memoryBytes: 50 * MIB, jobs: NEVER, ageMs: NEVER } })
    const child = node.child(0)
    child.ready()

    await grown(node, child, 60, () => wasAskedToCollect(node))
    child.says({ kind: 'collected', isolateBytes: 0, grew: [] })
    await until(() => node.facts('process.replacing')).toMatchObject([{ why: 'its memory grew by 60 MiB' }])
    expect(node.killed()).toEqual([])

    await grown(node, child, 110, () => node.kinds(0).filter((kind) => kind === 'collect').length > 1)
    child.says({ kind: 'collected', isolateBytes: 0, grew: [] })
    await until(() => node.killed()).toMatchObject([{ why: 'its memory grew by 110 MiB' }])
  })

  test('is killed beyond the hard one while it waits for its successor, since it has done its jobs, and not before that', async () => {
    const node = await fakeNode({ limits: { memoryBytes: 50 * MIB, jobs: 5, ageMs: NEVER } })
    const child = node.child(0)
    child.ready()
    await grown(node, child, 60, () => node.children.length === 2, 5)

    await grown(node, child, 110, () => wasAskedToCollect(node), 5)
    child.says({ kind: 'collected', isolateBytes: 0, grew: [] })

    await until(() => node.killed()).toMatchObject([{ why: 'its memory grew by 110 MiB' }])
    expect(node.facts('process.replacing').map(({ why }) => why)).toEqual(['it has done 5 jobs'])
  })

  test('is killed beyond the hard one while it drains, and left alone below it', async () => {
    const node = await fakeNode({ limits: { memoryBytes: 50 * MIB, jobs: NEVER, ageMs: NEVER } })
    const child = node.child(0)
    child.ready({ stopWithinMs: 600_000 })
    void node.supervisor.stop()
    let looks = 0
    await grown(node, child, 60, () => ++looks > 40)
    expect(wasAskedToCollect(node)).toBe(false)

    await grown(node, child, 110, () => wasAskedToCollect(node))
    child.says({ kind: 'collected', isolateBytes: 0, grew: [] })

    await until(() => node.killed()).toMatchObject([{ why: 'its memory grew by 110 MiB' }])
    await node.supervisor.done
  })
})
