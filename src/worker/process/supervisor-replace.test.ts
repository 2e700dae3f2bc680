import { describe, expect, test } from 'vitest'
import { fakeNode } from '../../../test/support/fake-node.ts'

describe('a replacement', () => {
  test('has its successor at work for a second before the predecessor is told to drain, one seat after the other', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()

    const isDone = node.supervisor.restart('SIGHUP')
    await node.turn()
    expect([node.children.length, node.kinds(0)]).toEqual([3, ['start']])
    node.child(2).ready()
    await node.turn()
    await node.pass(999)
    expect([node.children.length, node.kinds(0)]).toEqual([3, ['start']])
    await node.pass(1)
    expect([node.children.length, node.kinds(0)]).toEqual([3, ['start', 'stop']])
    node.child(0).drain()
    await node.turn()
    expect([node.children.length, node.kinds(1)]).toEqual([4, ['start']])
    await node.succeeds(node.child(3))
    node.child(1).drain()

    expect(await isDone).toBe(true)
    expect(node.alive()).toEqual([node.child(2), node.child(3)])
    expect(node.facts('process.failing')).toEqual([])
  })

  test('on few cores waits until these have made up for the start before, unless it is hurried or the node stops', async () => {
    const node = await fakeNode({ processes: 3, cores: 2 })
    await node.begins(3)
    const replace = async (index: number) => {
      await node.turn()
      node.clock.advance(100)
      await node.succeeds(node.child(index + 3))
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
    await hurried.begins(2)
    const isHurriedDone = hurried.supervisor.restart('a file has changed', { isHurried: true })
    for (const index of [2, 3]) {
      await hurried.turn()
      hurried.clock.advance(100)
      hurried.child(index).ready()
    }
    expect(await isHurriedDone).toBe(true)
    expect([hurried.kinds(0), hurried.kinds(1)]).toEqual([
      ['start', 'stop'],
      ['start', 'stop'],
    ])
  })

  test('that is hurried has those give back their jobs that the one before it left draining', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    const hurried = async () => {
      const from = node.children.length
      const isDone = node.supervisor.restart('a file has changed', { isHurried: true })
      for (const index of [from, from + 1]) {
        await node.turn()
        node.child(index).ready()
      }
      expect(await isDone).toBe(true)
    }

    await hurried()
    await hurried()

    const stops = node.children.map(({ told }) => told.filter(({ kind }) => kind === 'stop'))
    const [orderly, atOnce] = [
      { kind: 'stop', now: false },
      { kind: 'stop', now: true },
    ]
    expect(stops).toEqual([[orderly, atOnce], [orderly, atOnce], [orderly], [orderly], [], []])
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
    expect([node.kinds(0), node.kinds(1)]).toEqual([['start'], ['start']])
    expect(node.facts('process.failing')).toMatchObject([{ seat: 1, cause: 'exited with 1', nextMs: null }])
  })

  test('whose successor dies beside its predecessor is tried again, since a job may have killed it, and fails the third time', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    const isDone = node.supervisor.restart()
    const dies = async (index: number) => {
      await node.turn()
      node.child(index).ready()
      await node.turn()
      node.child(index).exit(null, 'SIGSEGV')
    }
    await dies(1)
    await dies(2)
    expect(node.facts('process.failing')).toEqual([])
    await dies(3)

    expect(await isDone).toBe(false)
    expect([node.alive(), node.kinds(0)]).toEqual([[node.child(0)], ['start']])
    expect(node.facts('process.failing')).toMatchObject([
      { seat: 1, cause: 'crashed (SIGSEGV) in native code', nextMs: null },
    ])

    const isSecondDone = node.supervisor.restart()
    await dies(4)
    await node.turn()
    await node.succeeds(node.child(5))
    node.child(0).drain()
    expect(await isSecondDone).toBe(true)
    expect(node.alive()).toEqual([node.child(5)])
  })

  test('whose predecessor dies beside its successor is done', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    const isDone = node.supervisor.restart()
    await node.turn()
    node.child(1).ready()
    await node.turn()
    node.child(0).exit(1)
    expect(await isDone).toBe(true)
    await node.pass(1_000, node.alive())
    expect(node.alive()).toEqual([node.child(1)])
  })

  test('of one that has not begun yet has it told to stop as well, and others come after it', async () => {
    const node = await fakeNode({ processes: 2 })
    node.child(1).ready()
    const isDone = node.supervisor.restart()
    await node.turn()
    await node.succeeds(node.child(2))
    expect(node.kinds(0)).toEqual(['start', 'stop'])
    node.child(0).ready()
    node.child(0).drain()
    await node.turn()
    await node.succeeds(node.child(3))
    node.child(1).drain()

    expect(await isDone).toBe(true)
  })

  test('is over for its predecessor, which may be stopped once more and leaves its seat to the successor', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    void node.supervisor.restart()
    await node.turn()
    await node.succeeds(node.child(1))

    node.asks(0, 'stop')
    node.asks(0, 'pause')
    node.child(0).drain()
    await node.turn()

    expect(node.alive()).toEqual([node.child(1)])
    expect(node.kinds(1)).toEqual(['start'])
  })

  test('under way when the node stops leaves the predecessor the deadline that it has', async () => {
    const node = await fakeNode()
    node.child(0).ready({ stopWithinMs: 1_000 })
    void node.supervisor.restart()
    await node.turn()
    node.child(1).ready()
    void node.supervisor.stop()
    await node.pass(1_000, node.alive())

    expect(node.kinds(0)).toEqual(['start', 'stop'])
    expect(node.kinds(1)).toEqual(['start', 'stop'])
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
    await node.succeeds(node.child(2))
    expect(first?.told.at(-1)).toEqual({ kind: 'stop', now: false })
  })

  test('that waits for its turn when its worker is stopped for good is none', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    node.asks(0, 'restart')
    node.asks(1, 'restart')
    await node.turn()

    node.asks(1, 'stop')
    await node.succeeds(node.child(2))
    node.child(0).drain()
    await node.turn()

    expect(node.children).toHaveLength(3)
  })

  test('that is under way when its worker is stopped for good leaves the seat empty', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    void node.supervisor.restart()
    await node.turn()

    node.asks(0, 'stop')
    expect(node.child(2).told.at(-1)).toEqual({ kind: 'stop', now: false })
    node.child(0).drain()
    node.child(2).ready()
    await node.turn()

    // One that was ready before it heard.
    expect(node.child(2).told.filter(({ kind }) => kind === 'stop')).toHaveLength(2)
  })
})
