/** Handlers that hold the event loop: what else this process has to do gets its turn, and leases that ended are not used. */
import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'

/** A clock whose monotonic time passes only while a handler says so; timers are the machine's. */
function busyClock(): { readonly clock: Clock; pass(ms: number): void } {
  let elapsed = 1
  return {
    clock: { now: systemClock.now, monotonic: () => elapsed, after: systemClock.after },
    pass(ms) {
      elapsed += ms
    },
  }
}

test.each(['at once', 'in a promise'] as const)(
  'handlers that each compute for 30 ms and end %s leave turns of the event loop between them',
  async (how) => {
    const { clock, pass } = busyClock()
    const mill = await openMill({ store: 'memory:', clock })
    let turn = 0
    let isOver = false
    const count = () => {
      turn++
      if (!isOver) setImmediate(count)
    }
    const perTurn = new Map<number, number>()
    const compute = () => {
      pass(30)
      perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1)
      return how === 'at once' ? 1 : Promise.resolve(1)
    }
    const job = defineJob({ name: 'compute', run: compute })
    await mill.enqueueMany(job, Array(60).fill(undefined))
    setImmediate(count)

    await mill.work([job], { concurrency: 60, drain: true }).done
    isOver = true

    expect([...perTurn.values()].reduce((a, b) => a + b)).toBe(60)
    expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(8)
  },
)

test('a job whose lease ended while another held the loop is given back, not started on that lease', async () => {
  const { clock, pass } = busyClock()
  const mill = await openMill({ store: 'memory:', clock })
  const fences: number[] = []
  const job = defineJob({
    name: 'long',
    run(_: undefined, { fence }) {
      fences.push(fence)
      if (fences.length === 1) pass(40_000)
    },
  })
  await mill.enqueueMany(job, Array(3).fill(undefined))

  await mill.work([job], { concurrency: 3, lease: '30s', drain: true }).done

  expect(fences).toEqual([1, 2, 2])
  expect(await mill.count({ state: 'completed' })).toMatchObject({ count: 3 })
})
