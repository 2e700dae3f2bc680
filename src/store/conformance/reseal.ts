/** Re-writing sealed bytes for key rotation. */
import { describe, expect } from 'vitest'
import type { SealedBytes, SealedRow } from '../contract/index.ts'
import { bytes, type Case, type Fixture, textOf } from './fixture.ts'

const LARGE = 'x'.repeat(5_000)

/** The cases of sealing anew. */
export function resealCases(test: Case): void {
  describe('reseal', () => {
    test('re-writes every sealed value of every job that is not running', async (f) => {
      const lease = await f.running({ payload: bytes('payload') })
      const logs = [1, 2].map((seq) => ({ seq, level: 'info' as const, message: bytes(`line ${seq}`) }))
      await f.jobs.report('w1', [{ id: lease.id, epoch: lease.epoch, note: bytes('note'), logs }])
      await f.settle(lease, { to: 'retrying', delayMs: 0, error: bytes('error') })
      await f.jobs.promote(10)
      await f.complete(await f.hold(lease.id), bytes(LARGE))
      const waiting = await f.add({ payload: bytes(LARGE) })

      const result = await f.jobs.reseal(null, 100, stamp)

      expect(result).toEqual({ next: null, visited: 2, rewritten: 2 })
      const row = await f.row(lease.id)
      expect(textOf(row.payload)).toBe('new payload')
      expect(textOf(row.result)).toBe(`new ${LARGE}`)
      expect(textOf(row.progressNote)).toBe('new note')
      expect(row.history.map((past) => textOf(past.error))).toEqual(['new error', null])
      expect((await f.jobs.logs(lease.id, 0, 10)).map((line) => textOf(line.message))).toEqual([
        'new line 1',
        'new line 2',
      ])
      expect(textOf((await f.row(waiting)).payload)).toBe(`new ${LARGE}`)
    })

    test('re-writes the error of a failed job, here and in its history', async (f) => {
      const lease = await f.running()
      await f.fail(lease)

      await f.jobs.reseal(null, 100, stamp)

      const row = await f.row(lease.id)
      expect(textOf(row.error)).toBe('new no')
      expect(textOf(row.history.at(-1)?.error)).toBe('new no')
    })

    test('keeps the error of a waiting job, however large it becomes, until the job completes', async (f) => {
      const lease = await f.running()
      await f.settle(lease, { to: 'retrying', delayMs: 0, error: bytes('small') })

      await f.jobs.reseal(null, 10, ({ fields }) => fields.map((field) => ({ ...field, bytes: bytes(LARGE) })))

      expect(textOf((await f.row(lease.id)).error)).toBe(LARGE)
      await f.jobs.promote(10)
      expect(textOf((await f.row(lease.id)).error)).toBe(LARGE)
      await f.complete(await f.hold(lease.id))
      expect((await f.row(lease.id)).error).toBeNull()
    })

    test('names each value by its field', async (f) => {
      const lease = await f.running()
      await f.jobs.report('w1', [
        { id: lease.id, epoch: 1, note: bytes('n'), logs: [{ seq: 7, level: 'info', message: bytes('m') }] },
      ])
      await f.settle(lease, { to: 'retrying', delayMs: 0, error: bytes('e') })
      const seen: SealedRow[] = []
      await f.jobs.reseal(null, 10, (row) => {
        seen.push(row)
        return []
      })

      expect(seen).toMatchObject([{ id: lease.id, name: 'job' }])
      expect(seen[0]?.fields.map((field) => field.field).sort()).toEqual([
        'error',
        'history:1',
        'log:7',
        'payload',
        'progress',
      ])
    })

    test('names the error of an attempt by its number, whatever its epoch', async (f) => {
      const lease = await f.running()
      await f.settle(lease, { to: 'pending' })
      await f.settle(await f.hold(lease.id), { to: 'retrying', delayMs: 0, error: bytes('e') })
      const names: string[] = []

      await f.jobs.reseal(null, 10, (row) => {
        names.push(...row.fields.map(({ field }) => field))
        return stamp(row)
      })

      expect(names.sort()).toEqual(['error', 'history:1', 'payload'])
      expect((await f.row(lease.id)).history.map((past) => textOf(past.error))).toEqual([null, 'new e'])
    })

    test('walks by pages and passes running jobs over', async (f) => {
      for (let i = 0; i < 5; i++) await f.add()
      const running = await f.running({ queue: 'other', payload: bytes('busy') })
      const visited: string[] = []
      let cursor: string | null = null
      do {
        const page: Awaited<ReturnType<Fixture['jobs']['reseal']>> = await f.jobs.reseal(cursor, 2, (row) => {
          visited.push(row.id)
          return []
        })
        expect(page.rewritten).toBe(0)
        cursor = page.next
      } while (cursor !== null)

      expect(new Set(visited).size).toBe(5)
      expect(visited).toHaveLength(5)
      expect(visited).not.toContain(running.id)
    })

    test('leaves a job that changed meanwhile as it is', async (f) => {
      const id = await f.add({ payload: bytes('old') })

      const result = await f.jobs.reseal(null, 10, async (row) => {
        await f.hold(id)
        return stamp(row)
      })

      expect(result.rewritten).toBe(0)
      expect(textOf((await f.row(id)).payload)).toBe('old')
    })
  })
}

/** Gives every value back with a word before it. */
function stamp(row: SealedRow): readonly SealedBytes[] {
  return row.fields.map((field) => ({ ...field, bytes: bytes(`new ${textOf(field.bytes)}`) }))
}
