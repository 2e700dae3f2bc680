import { describe, expect, test } from 'vitest'
import { type FakeNode, fakeNode } from '../../../test/support/fake-node.ts'
import { PROTOCOL } from './messages.ts'

const kinds = (node: FakeNode, index: number) => node.child(index).told.map(({ kind }) => kind)

describe('a process that ends unasked', () => {
  test('is started again after rests that double while it fails to start, and its crash loop is told with the cause', async () => {
    const node = await fakeNode()
    const rests: number[] = []
    for (let i = 0; i < 5; i++) {
      node.child(i).exit(9)
      await node.turn()
      const restMs = node.facts('process.failing')[i]?.nextMs ?? 0
      rests.push(restMs)
      node.clock.advance(restMs - 1)
      expect(node.children).toHaveLength(i + 1)
      node.clock.advance(1)
      expect(node.children).toHaveLength(i + 2)
    }

    expect(rests).toEqual([50, 100, 200, 400, 800])
    expect(node.facts('process.failing').at(-1)).toMatchObject({ seat: 1, starts: 5, cause: 'exited with 9' })
  })

  test('is started again at once when it had worked, lived for long or was stopped in good order', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    node.child(0).pulse({ jobsDone: 1 })
    node.child(0).exit(null, 'SIGKILL')
    node.clock.advance(0)
    node.child(1).ready()
    await node.pass(10_000, node.alive())
    node.child(1).exit(null, 'SIGSEGV')
    node.clock.advance(0)
    node.child(2).ready()
    node.child(2).drain()
    node.clock.advance(0)

    expect(node.children).toHaveLength(4)
    expect(node.facts('process.failing')).toEqual([])
  })

  test('with a word that nothing will mend ends the node if none has ever worked, and only then', async () => {
    const failed = {
      kind: 'failed',
      code: 'CONFIG_INVALID',
      message: 'x is 1',
      isFinal: true,
      hint: 'Write 2.',
    } as const
    const never = await fakeNode({ processes: 2 })
    never.child(0).says(failed)
    never.child(0).exit(3)
    await never.turn()
    expect(kinds(never, 1)).toEqual(['start', 'stop'])
    never.child(1).exit(3)
    await expect(never.supervisor.done).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'x is 1',
      hint: 'Write 2.',
    })

    const once = await fakeNode({ processes: 2 })
    once.child(1).ready()
    once.child(0).says(failed)
    once.child(0).exit(3)
    await once.turn()
    expect(once.supervisor.isStopping).toBe(false)
    expect(once.facts('process.failing')).toMatchObject([{ cause: 'x is 1 (CONFIG_INVALID)', starts: 1 }])
  })

  test('because the store is away is tried again, though none has ever worked', async () => {
    const node = await fakeNode()
    node.child(0).says({ kind: 'failed', code: 'STORE_UNREACHABLE', message: 'nobody answers', isFinal: false })
    node.child(0).exit(3)
    node.clock.advance(100)

    expect(node.children).toHaveLength(2)
    expect(node.facts('process.failing')).toMatchObject([{ cause: 'nobody answers (STORE_UNREACHABLE)' }])
  })

  test('or does not begin to work within a minute, which is told and ends it', async () => {
    const node = await fakeNode()
    await node.pass(61_000)

    expect(node.killed()).toMatchObject([{ seat: 1, why: 'did not start within 60000 ms' }])
    expect(node.alive()).toHaveLength(1)
  })
})

test('a worker of another release, since the package was changed under the node, leaves the others at work and says why', async () => {
  const node = await fakeNode({ processes: 2 })
  for (const child of node.children) child.ready()
  expect(node.child(0).told[0]).toMatchObject({ kind: 'start', protocol: PROTOCOL })
  const isDone = node.supervisor.restart()
  await node.turn()

  node.child(2).says({ kind: 'failed', code: 'PACKAGE_CHANGED', message: 'it was changed', isFinal: true })
  node.child(2).exit(3)

  expect(await isDone).toBe(false)
  expect(node.facts('process.failing')).toMatchObject([{ seat: 1, cause: 'it was changed (PACKAGE_CHANGED)' }])
  expect(node.alive()).toEqual([node.child(0), node.child(1)])
})

describe('a system that gives no process', () => {
  test('is asked again after a rest, and the cause is told', async () => {
    let isFull = true
    const node = await fakeNode({ refuses: () => isFull })
    expect(node.facts('process.failing')).toMatchObject([
      { seat: 1, starts: 1, cause: 'EMFILE: too many open files', nextMs: 50 },
    ])

    isFull = false
    node.clock.advance(50)

    expect(node.children).toHaveLength(1)
  })

  test('costs a rolling restart and no more: the next one is done', async () => {
    let isFull = false
    const node = await fakeNode({ refuses: () => isFull })
    node.child(0).ready()
    isFull = true
    expect(await node.supervisor.restart()).toBe(false)
    expect(node.facts('process.failing')).toMatchObject([{ cause: 'EMFILE: too many open files', nextMs: null }])
    isFull = false

    const isDone = node.supervisor.restart()
    await node.turn()
    node.child(1).ready()
    await node.turn()
    node.child(0).drain()

    expect(await isDone).toBe(true)
  })
})

describe('a replacement', () => {
  test('has its successor at work before the predecessor is told to drain, one seat after the other', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()

    const isDone = node.supervisor.restart('SIGHUP')
    await node.turn()
    expect([node.children.length, kinds(node, 0)]).toEqual([3, ['start']])
    node.child(2).ready()
    await node.turn()
    expect([node.children.length, kinds(node, 0)]).toEqual([3, ['start', 'stop']])
    node.child(0).drain()
    await node.turn()
    expect([node.children.length, kinds(node, 1)]).toEqual([4, ['start']])
    node.child(3).ready()
    await node.turn()
    node.child(1).drain()

    expect(await isDone).toBe(true)
    expect(node.alive()).toEqual([node.child(2), node.child(3)])
    expect(node.facts('process.failing')).toEqual([])
  })

  test('on few cores waits until these have made up for the start before, unless it is hurried or the node stops', async () => {
    const node = await fakeNode({ processes: 3, cores: 2 })
    for (const child of node.children) child.ready()
    const replace = async (index: number) => {
      await node.turn()
      node.clock.advance(100)
      node.child(index + 3).ready()
      await node.turn()
      node.child(index).drain()
      await node.turn()
    }

    const isDone = node.supervisor.restart()
    await replace(0)
    node.clock.advance(899)
    await node.turn()
    expect(node.children).toHaveLength(4)
    node.clock.advance(1)
    await replace(1)
    expect(node.children).toHaveLength(5)
    void node.supervisor.stop()
    expect(await isDone).toBe(false)

    const hurried = await fakeNode({ processes: 2, cores: 2 })
    for (const child of hurried.children) child.ready()
    const isHurriedDone = hurried.supervisor.restart('a file has changed', { isHurried: true })
    for (const index of [2, 3]) {
      await hurried.turn()
      hurried.clock.advance(100)
      hurried.child(index).ready()
    }
    expect(await isHurriedDone).toBe(true)
    expect([kinds(hurried, 0), kinds(hurried, 1)]).toEqual([
      ['start', 'stop'],
      ['start', 'stop'],
    ])
  })

  test('leaves the predecessor at work when the successor cannot start, and stops there', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()

    const isDone = node.supervisor.restart()
    await node.turn()
    node.child(2).exit(1)

    expect(await isDone).toBe(false)
    await node.pass(5_000, node.alive())
    expect(node.alive()).toEqual([node.child(0), node.child(1)])
    expect([kinds(node, 0), kinds(node, 1)]).toEqual([['start'], ['start']])
    expect(node.facts('process.failing')).toMatchObject([{ seat: 1, cause: 'exited with 1', nextMs: null }])
  })

  test('is one at a time, also when several workers have reached their age together', async () => {
    const node = await fakeNode({
      processes: 3,
      limits: { memoryBytes: Number.POSITIVE_INFINITY, jobs: Number.POSITIVE_INFINITY, ageMs: 10_000 },
    })
    for (const child of node.children) child.ready()
    let most = 0
    for (let i = 0; i < 60; i++) {
      await node.pass(250, node.alive())
      most = Math.max(most, node.alive().length)
      for (const child of node.children) {
        if (child.told.some(({ kind }) => kind === 'stop') && !child.isOver) child.drain()
        else if (child.told.length === 1 && node.children.indexOf(child) > 2) child.ready()
      }
    }

    expect(most).toBe(4)
    expect(node.facts('process.replacing').map(({ seat }) => seat)).toEqual([1, 2, 3])
    expect(node.facts('process.replacing')[0]).toMatchObject({ why: 'it is 10 s old' })
  })

  test('for age or jobs whose successor failed is tried again', async () => {
    const node = await fakeNode({
      limits: { memoryBytes: Number.POSITIVE_INFINITY, jobs: 5, ageMs: Number.POSITIVE_INFINITY },
    })
    const [first] = node.children
    first?.ready()
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 250) {
        first?.pulse({ jobsDone: 5 })
        await node.pass(250)
      }
    }
    await pass(1_000)
    expect(node.children).toHaveLength(2)
    node.child(1).exit(1)
    await pass(70_000)

    expect(node.children).toHaveLength(3)
    node.child(2).ready()
    await node.turn()
    expect(first?.told.at(-1)).toEqual({ kind: 'stop', now: false })
  })

  test('that waits for its turn when its worker is stopped for good is none', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    void node.supervisor.restartWorker(node.child(0).workerId)
    void node.supervisor.restartWorker(node.child(1).workerId)
    await node.turn()

    node.supervisor.stopWorker(node.child(1).workerId)
    node.child(2).ready()
    await node.turn()
    node.child(0).drain()
    await node.turn()

    expect(node.children).toHaveLength(3)
  })

  test('that is under way when its worker is stopped for good leaves the seat empty', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    void node.supervisor.restart()
    await node.turn()

    node.supervisor.stopWorker(node.child(0).workerId)
    expect(node.child(2).told.at(-1)).toEqual({ kind: 'stop', now: false })
    node.child(0).drain()
    node.child(2).ready()
    await node.turn()

    // One that was ready before it heard.
    expect(node.child(2).told.filter(({ kind }) => kind === 'stop')).toHaveLength(2)
  })
})

describe('a pause', () => {
  test('reaches those at work and those that start later, and a resume after it', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    node.supervisor.pause()
    node.child(0).pulse({ jobsDone: 1 })
    node.child(0).exit(1)
    node.clock.advance(0)

    expect(kinds(node, 0)).toEqual(['start', 'pause'])
    expect(node.child(1).told).toMatchObject([{ kind: 'start', isPaused: true }])
    node.supervisor.resume()
    expect(kinds(node, 1)).toEqual(['start', 'resume'])
  })

  test('of one worker is of its seat: whoever takes it is paused too, until it or the node is resumed', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    const asks = (index: number, verb: 'pause' | 'resume') =>
      node.child(index).says({ kind: 'asked', verb, why: 'somebody asked for it' })
    const restart = async (index: number) => {
      const before = node.children.length
      void node.supervisor.restartWorker(node.child(index).workerId)
      await node.turn()
      node.child(before).ready()
      await node.turn()
      node.child(index).drain()
      await node.turn()
      return node.child(before)
    }

    asks(0, 'pause')
    expect(node.supervisor.isPaused).toBe(false)
    expect((await restart(0)).told[0]).toMatchObject({ kind: 'start', isPaused: true })
    expect((await restart(1)).told[0]).toMatchObject({ kind: 'start', isPaused: false })
    node.child(2).pulse({ jobsDone: 1 })
    node.child(2).exit(1)
    node.clock.advance(0)
    expect(node.child(4).told[0]).toMatchObject({ kind: 'start', isPaused: true })
    node.child(4).ready()
    asks(4, 'resume')
    expect((await restart(4)).told[0]).toMatchObject({ kind: 'start', isPaused: false })

    asks(5, 'pause')
    node.supervisor.resume()
    expect((await restart(5)).told[0]).toMatchObject({ kind: 'start', isPaused: false })
  })

  test('of one worker whose successor starts already reaches that', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    void node.supervisor.restart()
    await node.turn()

    node.child(0).says({ kind: 'asked', verb: 'pause', why: 'somebody asked for it' })

    expect(kinds(node, 1)).toEqual(['start', 'pause'])
  })

  test('of the node is over for the one worker that is resumed', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    node.supervisor.pause()
    expect(node.supervisor.isPaused).toBe(true)

    node.child(1).says({ kind: 'asked', verb: 'resume', why: 'somebody asked for it' })

    expect(node.supervisor.isPaused).toBe(false)
    node.child(1).exit(1)
    node.child(0).exit(1)
    node.clock.advance(100)
    expect(node.child(2).told[0]).toMatchObject({ kind: 'start', isPaused: false })
    expect(node.child(3).told[0]).toMatchObject({ kind: 'start', isPaused: true })
  })
})
