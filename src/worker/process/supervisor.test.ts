import { describe, expect, test } from 'vitest'
import { fakeNode } from '../../../test/support/fake-node.ts'
import { StoreError } from '../../core/errors.ts'
import { PROTOCOL } from './messages.ts'

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

  test('within seconds, over and over, is started again at once though it had worked; the fifth time a second after the start before', async () => {
    const node = await fakeNode()
    const works = async (index: number, livedMs: number) => {
      node.child(index).ready()
      node.child(index).pulse({ jobsDone: 1 })
      node.clock.advance(livedMs)
      node.child(index).exit(7)
      await node.turn()
    }
    for (let i = 0; i < 4; i++) {
      await works(i, 300)
      node.clock.advance(0)
    }
    expect(node.facts('process.failing')).toEqual([])
    await works(4, 300)
    node.clock.advance(699)
    expect(node.children).toHaveLength(5)
    node.clock.advance(1)
    expect(node.children).toHaveLength(6)
    await works(5, 2_000)
    node.clock.advance(0)
    expect(node.children).toHaveLength(7)
    const loop = { seat: 1, hasWorked: true, isLoop: true, cause: 'exited with 7' }
    expect(node.facts('process.failing')).toMatchObject([
      { ...loop, starts: 5, nextMs: 700 },
      { ...loop, starts: 6, nextMs: 0 },
    ])

    node.child(6).drain()
    node.clock.advance(0)
    node.child(7).ready()
    await node.pass(10_000, node.alive())
    node.child(7).exit(7)
    await node.turn()
    expect(node.facts('process.failing')).toHaveLength(2)
  })

  test('with an error of its store that nothing will mend ends the node with an error of the store', async () => {
    const node = await fakeNode()
    const failed = { kind: 'failed', code: 'STORE_NEWER', message: 'it is newer', isFinal: true } as const
    node.child(0).says({ ...failed, storeKind: 'schema' })
    node.child(0).exit(3)

    const error = await node.supervisor.done.catch((error: unknown) => error)

    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({ code: 'STORE_NEWER', kind: 'schema', message: 'it is newer' })
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
    expect(never.kinds(1)).toEqual(['start', 'stop'])
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
    await node.succeeds(node.child(1))
    node.child(0).drain()

    expect(await isDone).toBe(true)
  })
})

test('on few cores processes start one after the other, each once the one before works, has ended or takes a second', async () => {
  const node = await fakeNode({ processes: 4, cores: 2 })
  expect(node.children).toHaveLength(1)
  node.child(0).ready()
  await node.turn()
  expect(node.children).toHaveLength(2)
  node.child(1).exit(1)
  await node.turn()
  expect(node.children).toHaveLength(3)
  node.clock.advance(1_000)
  await node.turn()
  expect(node.children.filter(({ isOver }) => !isOver)).toHaveLength(4)
})

test('a node that stops, or is restarted, before the turn of a seat has come starts none there, or one', async () => {
  const stopped = await fakeNode({ processes: 2, cores: 2 })
  void stopped.supervisor.stop()
  stopped.child(0).exit(0)
  await stopped.supervisor.done
  expect(stopped.children).toHaveLength(1)

  const restarted = await fakeNode({ processes: 2, cores: 2 })
  void restarted.supervisor.restart('a file has changed', { isHurried: true })
  await restarted.turn()
  restarted.child(1).ready()
  await restarted.turn()
  restarted.child(0).ready()
  await restarted.turn()
  expect(restarted.children).toHaveLength(3)
})
