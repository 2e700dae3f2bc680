/** Fences: a write about a running attempt counts only with its id, its epoch and the worker that holds it. */
import { describe, expect } from 'vitest'
import { bytes, type Case, type Outcome, textOf } from './fixture.ts'

/** Every way to settle. */
const OUTCOMES: readonly Outcome[] = [
  { to: 'completed', result: bytes('r') },
  { to: 'completed', result: new Uint8Array(10_000) },
  { to: 'retrying', delayMs: 1_000, error: bytes('e') },
  { to: 'retrying', delayMs: 1_000, error: bytes('e'), crashed: true },
  { to: 'failed', reason: 'quarantined', error: bytes('e'), crashed: true },
  { to: 'failed', reason: 'exhausted', error: bytes('e') },
  { to: 'cancelled', reason: 'requested', error: null },
  { to: 'scheduled', delayMs: 1_000 },
  { to: 'pending' },
  { to: 'blocked', reason: 'key', on: 'k1' },
]

/** The cases of leases that are not held any more. */
export function fenceCases(test: Case): void {
  describe('fences', () => {
    test('start, report and extend from a stale lease change nothing', async (f) => {
      const stale = await f.running()
      await f.lose()
      const before = await f.row(stale.id)
      const logs = [{ seq: 1, level: 'info', message: bytes('m') }] as const

      expect(await f.jobs.start('w1', stale)).toBe('lost')
      expect(await f.jobs.report('w1', [{ ...lease(stale), progress: 1, note: bytes('n'), logs }])).toEqual(['lost'])
      expect(await f.jobs.extend('w1', [stale], 99_999)).toEqual(['lost'])
      expect(await f.jobs.extendWaiting('w1', [stale], 99_999)).toEqual(['lost'])

      expect(await f.row(stale.id)).toEqual(before)
      expect(await f.jobs.logs(stale.id, 0, 10)).toEqual([])
    })

    for (const next of ['w1', 'w2']) {
      test(`the same against a job that ${next === 'w1' ? 'the same' : 'another'} worker holds now`, async (f) => {
        const stale = await f.running()
        await f.lose()
        await f.hold(stale.id, { workerId: next })
        const before = await f.row(stale.id)

        expect(await f.jobs.start('w1', stale)).toBe('lost')
        expect(await f.jobs.report('w1', [{ ...lease(stale), progress: 1 }])).toEqual(['lost'])
        expect(await f.jobs.extend('w1', [stale], 99_999)).toEqual(['lost'])
        expect(await f.jobs.extendWaiting('w1', [stale], 99_999)).toEqual(['lost'])

        expect(await f.row(stale.id)).toEqual(before)
      })
    }

    test('start, report and extend by another worker change nothing, also with the right epoch', async (f) => {
      const held = await f.running()
      const before = await f.row(held.id)
      const logs = [{ seq: 1, level: 'info', message: bytes('m') }] as const

      for (const worker of ['w2', 'W1', 'w1 ', '']) {
        expect(await f.jobs.start(worker, held)).toBe('lost')
        expect(await f.jobs.report(worker, [{ ...lease(held), progress: 1, logs }])).toEqual(['lost'])
        expect(await f.jobs.extend(worker, [held], 99_999)).toEqual(['lost'])
        expect(await f.jobs.extendWaiting(worker, [held], 99_999)).toEqual(['lost'])
      }

      expect(await f.row(held.id)).toEqual(before)
      expect(await f.jobs.logs(held.id, 0, 10)).toEqual([])
      await f.lose()
      expect(await f.row(held.id)).toMatchObject({ losses: 1, crashes: 0 })
    })

    for (const outcome of OUTCOMES) {
      for (const parts of [{}, { unique: 'k' }]) {
        const kind = `${'result' in outcome && outcome.result?.byteLength === 10_000 ? 'large ' : ''}${outcome.to}${'crashed' in outcome ? ', crashed' : ''}`
        const road = 'unique' in parts ? 'with a key' : 'plain'
        test(`settles nothing for another worker with the right epoch: ${kind}, ${road}`, async (f) => {
          const held = await f.running(parts)
          const before = await f.row(held.id)

          expect(await f.settle(held, outcome, 'w2')).toBe('lost')

          expect(await f.row(held.id)).toEqual(before)
          await f.complete(held)
        })
      }
    }

    test('a worker that was stopped past its lease is refused in every interleaving', async (f) => {
      for (let i = 0; i < 100; i++) {
        const stale = await f.running({}, { workerId: 'a' })
        await f.lose()
        const current = i % 2 === 0 ? await f.hold(stale.id, { workerId: 'a' }) : null

        expect(await f.settle(stale, { to: 'completed', result: bytes('stale') }, 'a')).toBe('lost')

        const next = current ?? (await f.hold(stale.id, { workerId: 'b' }))
        const holder = current === null ? 'b' : 'a'
        expect(await f.settle(next, { to: 'completed', result: bytes('right') }, holder)).toBe('settled')
        expect(await f.settle(stale, { to: 'failed', reason: 'exhausted', error: null }, 'a')).toBe('lost')
        expect(textOf((await f.row(stale.id)).result)).toBe('right')
      }
    })
  })
}

function lease(job: { readonly id: string; readonly epoch: number }): { readonly id: string; readonly epoch: number } {
  return { id: job.id, epoch: job.epoch }
}
