import { describe, expect, test } from 'vitest'
import { fakeNode } from '../../../test/support/fake-node.ts'

describe('a pause', () => {
  test('reaches those at work and those that start later, and a resume after it', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    node.supervisor.pause()
    node.child(0).pulse({ jobsDone: 1 })
    node.child(0).exit(1)
    node.clock.advance(0)

    expect(node.kinds(0)).toEqual(['start', 'pause'])
    expect(node.child(1).told).toMatchObject([{ kind: 'start', isPaused: true }])
    node.supervisor.resume()
    expect(node.kinds(1)).toEqual(['start', 'resume'])
  })

  test('of one worker is of its seat: whoever takes it is paused too, until it or the node is resumed', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    const restart = async (index: number) => {
      const before = node.children.length
      node.asks(index, 'restart')
      await node.turn()
      await node.succeeds(node.child(before))
      node.child(index).drain()
      await node.turn()
      return node.child(before)
    }

    node.asks(0, 'pause')
    expect(node.supervisor.isPaused).toBe(false)
    expect((await restart(0)).told[0]).toMatchObject({ kind: 'start', isPaused: true })
    expect((await restart(1)).told[0]).toMatchObject({ kind: 'start', isPaused: false })
    node.child(2).pulse({ jobsDone: 1 })
    node.child(2).exit(1)
    node.clock.advance(0)
    expect(node.child(4).told[0]).toMatchObject({ kind: 'start', isPaused: true })
    node.child(4).ready()
    node.asks(4, 'resume')
    expect((await restart(4)).told[0]).toMatchObject({ kind: 'start', isPaused: false })

    node.asks(5, 'pause')
    node.supervisor.resume()
    expect((await restart(5)).told[0]).toMatchObject({ kind: 'start', isPaused: false })
  })

  test('of one worker whose successor starts already reaches that', async () => {
    const node = await fakeNode()
    node.child(0).ready()
    void node.supervisor.restart()
    await node.turn()

    node.asks(0, 'pause')

    expect(node.kinds(1)).toEqual(['start', 'pause'])
  })

  test('of the node is over for the one worker that is resumed', async () => {
    const node = await fakeNode({ processes: 2 })
    for (const child of node.children) child.ready()
    node.supervisor.pause()
    expect(node.supervisor.isPaused).toBe(true)

    node.asks(1, 'resume')

    expect(node.supervisor.isPaused).toBe(false)
    node.child(1).exit(1)
    node.child(0).exit(1)
    node.clock.advance(100)
    expect(node.child(2).told[0]).toMatchObject({ kind: 'start', isPaused: false })
    expect(node.child(3).told[0]).toMatchObject({ kind: 'start', isPaused: true })
  })
})
