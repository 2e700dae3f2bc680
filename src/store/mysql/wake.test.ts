import { expect, onTestFinished, test, vi } from 'vitest'
import type { QuerySession, SqlResult } from '../sql/session.ts'
import { MysqlDatabase } from './database.ts'
import { mysqlSettings } from './options.ts'
import { Waiting } from './waiting.ts'
import { Wake } from './wake.ts'

/** Hints there were, which job is first in line, and a notice. */
const NOTICED = [5, null, 1]

test('a hint that is not told yet is waited for by the one after it, however many are given', async () => {
  const { wake, sent } = ground([])
  for (let i = 0; i < 100; i++) {
    wake.hint()
    await vi.advanceTimersByTimeAsync(10)
  }
  expect(sent).toHaveLength(1)

  sent[0]?.()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(sent).toHaveLength(2)
  sent[1]?.()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(sent).toHaveLength(2)
})

test('a steady stream of notices wakes at once, and is taken in portions', async () => {
  const { wake, database, sent } = ground(NOTICED)
  const take = vi.spyOn(database, 'transact').mockResolvedValue(1)
  const onWake = vi.fn()
  onTestFinished(wake.subscribe(onWake))
  await vi.advanceTimersByTimeAsync(5)
  expect([onWake.mock.calls.length, take.mock.calls.length, sent.length]).toEqual([1, 1, 1])

  await vi.advanceTimersByTimeAsync(1_000)
  expect(take.mock.calls.length).toBeGreaterThan(10)
  expect(take.mock.calls.length).toBeLessThan(50)
  expect(onWake.mock.calls.length).toBeLessThan(50)
})

test('notices that somebody else holds are left alone for a while, and are no reason to hurry', async () => {
  const { wake, database, sent, endWaits } = ground(NOTICED)
  const take = vi.spyOn(database, 'transact').mockResolvedValue(0)
  const onWake = vi.fn()
  onTestFinished(wake.subscribe(onWake))
  await vi.advanceTimersByTimeAsync(5)
  expect(onWake).toHaveBeenCalledTimes(1)

  for (let second = 0; second < 5; second++) {
    await vi.advanceTimersByTimeAsync(1_000)
    endWaits()
  }
  expect(take.mock.calls.length).toBeLessThan(20)
  expect(onWake.mock.calls.length).toBeLessThan(20)
  expect(sent).toEqual([])
  // At rest the server is asked to wait, which is told of no notice that is locked.
  expect(vi.mocked(Waiting.prototype.wait).mock.calls.length).toBeGreaterThan(2)
})

test('while claims find enough, what exchanges see puts the readings off, and wakes as one does', async () => {
  const { wake, reads } = ground([5, null, null])
  const onWake = vi.fn()
  onTestFinished(wake.subscribe(onWake))
  await vi.advanceTimersByTimeAsync(5)
  wake.found(true)
  await vi.advanceTimersByTimeAsync(200)
  const before = reads()
  const exchange = async (count: number) => {
    wake.found(true)
    wake.looked({ count, isNoticed: false })
    await vi.advanceTimersByTimeAsync(100)
  }
  for (let i = 0; i < 20; i++) await exchange(5)
  expect(reads()).toBe(before)
  expect(onWake).not.toHaveBeenCalled()
  await exchange(6)
  expect(onWake).toHaveBeenCalledTimes(1)

  await vi.advanceTimersByTimeAsync(60)
  expect(reads()).toBe(before + 1)
  wake.found(false)
  await vi.advanceTimersByTimeAsync(4)
  expect(reads()).toBeGreaterThan(before + 1)
})

test('a notice that an exchange sees is left to the next reading', async () => {
  const { wake, reads } = ground([5, null, null])
  onTestFinished(wake.subscribe(() => undefined))
  await vi.advanceTimersByTimeAsync(5)
  wake.found(true)
  wake.looked({ count: 5, isNoticed: false })
  await vi.advanceTimersByTimeAsync(140)
  const before = reads()
  wake.looked({ count: 5, isNoticed: true })
  await vi.advanceTimersByTimeAsync(20)

  expect(reads()).toBe(before + 1)
})

test('while claims find enough, it is told within 200 ms that jobs have ended; new jobs are told of as ever', async () => {
  const { wake, sent } = ground([5, null, null])
  const tellFor = async (ms: number, what: 'ended' | 'hint') => {
    const before = sent.length
    for (let at = 0; at < ms; at += 10) {
      wake.found(true)
      wake[what]()
      for (const answer of sent) answer()
      await vi.advanceTimersByTimeAsync(10)
    }
    return sent.length - before
  }
  await tellFor(1_000, 'ended')

  expect(await tellFor(2_000, 'ended')).toBe(10)
  expect(await tellFor(1_000, 'hint')).toBeGreaterThanOrEqual(20)
  await tellFor(30, 'ended')
  const before = sent.length
  wake.found(false)
  await vi.advanceTimersByTimeAsync(60)
  expect(sent.length).toBe(before + 1)
})

/**
 * Hints on a database whose look finds this row. `sent`: lets the server answer to a hint. `endWaits`: the server has waited in vain.
 * `reads`: how often the row was read.
 */
function ground(look: readonly (number | null)[]) {
  vi.useFakeTimers()
  onTestFinished(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })
  const database = new MysqlDatabase(mysqlSettings('mysql://user@localhost/nowhere'), undefined, () => undefined)
  const sent: (() => void)[] = []
  let reads = 0
  const session: Pick<QuerySession, 'query'> = {
    query: (statement) => {
      if (String(statement).startsWith('SELECT')) {
        reads++
        return Promise.resolve({ rows: [look], changes: 0 })
      }
      return new Promise<SqlResult>((resolve) => sent.push(() => resolve({ rows: [], changes: 1 })))
    },
  }
  vi.spyOn(database, 'read').mockImplementation((fn) => fn({ ...session, select: () => Promise.resolve([]) }))
  const waits: (() => void)[] = []
  vi.spyOn(Waiting.prototype, 'wait').mockImplementation(
    () => new Promise((resolve) => waits.push(() => resolve(null))),
  )
  const endWaits = () => {
    for (const end of waits.splice(0)) end()
  }
  const wake = new Wake(() => database)
  wake.open()
  onTestFinished(async () => {
    const closed = wake.close()
    endWaits()
    await vi.advanceTimersByTimeAsync(1_000)
    await closed
  })
  return { wake, database, sent, endWaits, reads: () => reads }
}
