import { describe, expect, test } from 'vitest'
import { type FakeChild, type FakeNode, fakeNode } from '../../../test/support/fake-node.ts'

const ID = '01a228d2-a44a-7e57-b964-f65254a1e772'

/** Lets a child claim the one job there is, and list it as begun. */
async function begins(node: FakeNode, child: FakeChild, leaseMs = 30_000): Promise<void> {
  await node.store.jobs.insert([{ id: ID, name: 'a', version: 1, queue: 'q', priority: 5, payload: new Uint8Array() }])
  const claim = { workerId: child.workerId, queues: 'all', names: ['a'], limit: 1, leaseMs } as const
  const { claimed } = await node.store.jobs.exchange({ workerId: child.workerId, settle: [], claim })
  child.begun = claimed.map(({ id, epoch }) => ({ id, epoch }))
  expect(child.begun).toHaveLength(1)
}

const job = async (node: FakeNode) => node.store.jobs.get(ID)

describe('a stop', () => {
  test('lets workers drain, and kills those that do not within their time; their jobs go back unaccused', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready({ stopWithinMs: 1_000 })
    await begins(node, node.child(1))

    const stopped = node.supervisor.stop()
    node.child(0).drain()
    await node.pass(6_250, [node.child(1)])
    expect(node.alive()).toHaveLength(1)
    await node.pass(900, [node.child(1)])

    await stopped
    expect(node.alive()).toEqual([])
    expect(node.killed()).toMatchObject([{ seat: 2, why: 'did not stop within 6900 ms' }])
    expect(node.facts('job.reclaimed')).toMatchObject([{ jobId: ID, outcome: 'pending', crashes: 0 }])
  })

  test('at once aborts, and kills a second and a half later', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    void node.supervisor.stop()
    const stopped = node.supervisor.stop({ now: true })
    expect(node.child(0).told.slice(1)).toEqual([
      { kind: 'stop', now: false },
      { kind: 'stop', now: true },
    ])
    await node.pass(1_750)
    await stopped
    expect(node.killed()).toMatchObject([{ why: 'did not stop within 1500 ms' }])
  })

  test('while a process starts stops it when it is ready, and none is started again', async () => {
    const node = await fakeNode({ processes: 2 })
    node.child(0).exit(1)
    const stopped = node.supervisor.stop()
    node.child(1).ready()
    expect(node.child(1).told.at(-1)).toEqual({ kind: 'stop', now: false })
    node.child(1).drain()

    await stopped
    await node.pass(1_000)
    expect(node.children).toHaveLength(2)
  })

  test('while a replacement starts ends that before it claims, which is no failure', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    void node.supervisor.restart()
    await node.turn()

    const stopped = node.supervisor.stop()
    expect(node.child(1).told.at(-1)).toEqual({ kind: 'stop', now: false })
    node.child(1).drain()
    node.child(0).drain()

    await stopped
    expect(node.facts('process.failing')).toEqual([])
    expect(node.children).toHaveLength(2)
  })

  test('at once stays so for a process that is ready only then', async () => {
    const node = await fakeNode()
    const stopped = node.supervisor.stop({ now: true })
    await node.pass(1_000)

    node.child(0).ready()

    expect(node.child(0).told.at(-1)).toEqual({ kind: 'stop', now: true })
    await node.pass(1_750)
    await stopped
    expect(node.killed()).toMatchObject([{ why: 'did not stop within 1500 ms' }])
  })

  test('of every worker one by one ends the node', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) {
      child.ready()
      child.says({ kind: 'asked', verb: 'stop', why: 'somebody asked for it' })
      child.drain()
    }
    await node.turn()
    await node.supervisor.done
    expect(node.children).toHaveLength(2)
  })
})

describe('a worker that is silent', () => {
  test('has its leases kept, is killed at the stall limit, and what it had begun counts as a crash', async () => {
    const node = await fakeNode({ stallLimitMs: 10_000 })
    node.child(0).ready({ leaseMs: 3_000 })
    await begins(node, node.child(0), 3_000)

    await node.pass(9_500)
    expect(node.facts('process.stalled')).toMatchObject([{ seat: 1 }])
    expect((await job(node))?.leaseUntil).toBeGreaterThan(node.clock.now())
    expect(await node.store.jobs.reclaim(10)).toEqual([])
    expect(node.alive()).toHaveLength(1)
    await node.pass(1_000)

    expect(node.killed()).toMatchObject([{ why: expect.stringMatching(/^its event loop was blocked for 10/) }])
    expect(node.facts('job.reclaimed')).toMatchObject([{ jobId: ID, outcome: 'pending', crashes: 1 }])
    expect(node.children).toHaveLength(2)
  })

  test('and is heard again in time goes on, and that is told with how long it was silent', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    await node.pass(5_000)
    await node.pass(2_000, node.alive())

    expect(node.facts('process.heard')).toMatchObject([{ seat: 1, silentMs: 5_250 }])
    expect(node.killed()).toEqual([])
  })

  test('while its job is cancelled is killed when the job has had its grace, and that is no crash', async () => {
    const node = await fakeNode()
    node.child(0).ready({ leaseMs: 3_000 })
    await begins(node, node.child(0), 3_000)
    await node.pass(4_000)
    await node.store.jobs.cancel([ID])

    await node.pass(5_000)
    expect(node.killed()).toEqual([])
    await node.pass(4_000)

    expect(node.killed()).toMatchObject([{ why: 'a job of it was cancelled, and its event loop is blocked' }])
    expect(await job(node)).toMatchObject({ state: 'cancelled', crashes: 0 })
  })

  test.each([
    ['before it stalled', 0],
    ['just after its leases were kept', 3_250],
  ])(
    'and whose job was cancelled %s is killed within a second and a half after its grace, counted from when it counts as silent',
    async (_, at) => {
      const node = await fakeNode()
      node.child(0).ready()
      await begins(node, node.child(0))
      await node.pass(at)
      await node.store.jobs.cancel([ID])

      await node.pass(Math.max(2_500 - at, 0) + 4_750)
      expect(node.killed()).toEqual([])
      await node.pass(1_750)

      expect(node.killed()).toMatchObject([{ why: 'a job of it was cancelled, and its event loop is blocked' }])
    },
  )

  test('again after it was heard has its job cancelled for the whole grace anew', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    await begins(node, node.child(0))
    await node.store.jobs.cancel([ID])
    await node.pass(7_000)
    await node.pass(250, node.alive())

    await node.pass(7_000)
    expect(node.killed()).toEqual([])
    await node.pass(2_000)

    expect(node.killed()).toHaveLength(1)
  })

  test('while its job is cancelled has its grace while the store does not answer, too, and none for what the supervisor stood still', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    await begins(node, node.child(0))
    await node.store.jobs.cancel([ID])
    await node.pass(3_500)
    await node.store.close()
    node.clock.advance(60_000)
    await node.turn()
    // The look that is late, and the one that follows it at once: from then on looks meet the steps again.
    await node.pass(500)
    await node.pass(10)

    await node.pass(3_250)
    expect(node.killed()).toEqual([])
    await node.pass(1_500)

    expect(node.facts('store.failed')).not.toEqual([])
    expect(node.killed()).toMatchObject([{ why: 'a job of it was cancelled, and its event loop is blocked' }])
  })

  test('while the node stops keeps its leases too', async () => {
    const node = await fakeNode()
    node.child(0).ready({ leaseMs: 3_000 })
    await begins(node, node.child(0), 3_000)
    void node.supervisor.stop()

    await node.pass(10_000)

    expect((await job(node))?.leaseUntil).toBeGreaterThan(node.clock.now())
    node.child(0).drain()
    await node.supervisor.done
  })

  test('since the supervisor itself stood still (a laptop was closed) is not accused, at work or on its start', async () => {
    const node = await fakeNode({ processes: 2, stallLimitMs: 10_000 })
    node.child(0).ready()
    await node.pass(2_000, [node.child(0)])

    node.clock.advance(3_600_000)
    await node.turn()
    await node.pass(2_000, [node.child(0)])

    expect(node.killed()).toEqual([])
    expect(node.alive()).toHaveLength(2)
  })

  test.for([
    ['stood still', 5_000],
    ['was a little late', 320],
  ] as const)('is judged after what it said has been read by a supervisor that %s', async ([, ms]) => {
    const node = await fakeNode({ stallLimitMs: 2_600 })
    node.child(0).ready()
    await node.pass(2_250)
    node.clock.advance(ms)
    await node.turn()

    // Its first look comes before anything that waits in a channel.
    node.clock.advance(500)
    await node.turn()
    node.child(0).pulse()
    await node.pass(2_000, node.alive())

    expect(node.killed()).toEqual([])
  })

  test('has its leases kept also by a supervisor that stood still', async () => {
    const node = await fakeNode({ stallLimitMs: 60_000 })
    node.child(0).ready({ leaseMs: 6_000 })
    await begins(node, node.child(0), 6_000)
    await node.pass(2_000)
    node.clock.advance(3_000)
    await node.turn()
    await node.pass(1_000)

    expect((await job(node))?.leaseUntil).toBeGreaterThan(node.clock.now() + 4_000)
  })

  test('is found by a supervisor, too, each of whose looks is late', async () => {
    const node = await fakeNode({ stallLimitMs: 3_000 })
    node.child(0).ready()
    for (let i = 0; i < 20; i++) {
      node.clock.advance(700)
      await node.turn()
    }

    expect(node.killed()).toMatchObject([{ why: expect.stringMatching(/^its event loop was blocked/) }])
  })
})

test('a worker that says why it ends, since its store is away say, was ended by no job', async () => {
  const node = await fakeNode()
  node.child(0).ready()
  await begins(node, node.child(0))

  node.child(0).says({ kind: 'failed', code: 'STORE_UNREACHABLE', message: 'nobody answers', isFinal: false })
  node.child(0).exit(3, null)
  await node.turn()

  expect(node.facts('job.reclaimed')).toMatchObject([{ jobId: ID, outcome: 'pending', crashes: 0 }])
})

test('what a handler writes to the channel harms nobody', async () => {
  const node = await fakeNode()
  node.child(0).ready()

  for (const said of [null, 'ready', 7, {}, { kind: 'nonsense' }]) node.child(0).emit('message', said)
  await node.turn()

  expect(node.alive()).toHaveLength(1)
})
