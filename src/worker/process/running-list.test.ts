import { closeSync, ftruncateSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../../test/support/temp-store.ts'
import type { Fetched } from '../fetcher.ts'
import type { RunningJob } from '../running-job.ts'
import { RunningList, RunningListFile } from './running-list.ts'

const idOf = (n: number) => `01a228d2-a44a-7e57-b964-${n.toString(16).padStart(12, '0')}`

/** A job with what the list looks at. */
interface Job {
  readonly claimed: { readonly id: string; readonly epoch: number }
  isOver: boolean
  place: number
}

function job(n: number, epoch = 1): Job {
  return { claimed: { id: idOf(n), epoch }, isOver: false, place: -1 }
}

const running = (of: Job) => of as unknown as RunningJob
const fetched = (of: Job) => ({ job: of.claimed, leaseEnd: 0 }) as unknown as Fetched
const waiting = (jobs: readonly Job[]) => ({ peek: (count: number) => jobs.slice(0, Math.max(0, count)).map(fetched) })

/** The list with its file, as the two processes have it. */
function list() {
  const folder = tempDir()
  const file = new RunningListFile(folder, 'list')
  onTestFinished(() => file.close())
  const own = new RunningList(file.fd)
  const start = (first: Job, behind: readonly Job[], room: number, isQuick = false, during = () => {}) => {
    own.beforeStart(fetched(first), waiting(behind), room)
    during()
    first.isOver = isQuick
    own.afterStart(running(first))
  }
  const ids = () => file.read().map(({ id }) => id)
  const end = (of: Job) => {
    of.isOver = true
    own.ended(running(of))
  }
  return { folder, file, own, start, end, ids }
}

describe('the list of what has begun', () => {
  test('is empty at first, in a file without a name', () => {
    const { folder, file } = list()

    expect(file.read()).toEqual([])
    expect(readdirSync(folder)).toEqual([])
  })

  test('tells apart what runs in a process of its own: whatever ended the worker, it was none of those', () => {
    const { file, own, start } = list()
    own.setApart(({ id }) => id === idOf(2))

    own.beginTurn()
    start(job(1), [], 1)
    start(job(2, 9), [], 1)

    expect(file.read()).toEqual([
      { id: idOf(1), epoch: 1 },
      { id: idOf(2), epoch: 9 },
    ])
    expect(file.readOwn()).toEqual([{ id: idOf(1), epoch: 1 }])
  })

  test('has a job with its epoch before it begins, and until another takes its place', () => {
    const { file, own, start, end, ids } = list()
    const [a, b] = [job(1, 7), job(2, 4_000_000_000)]

    own.beginTurn()
    start(a, [], 5, false, () => expect(ids()).toEqual([idOf(1)]))
    own.endTurn()
    end(a)
    own.beginTurn()
    start(b, [], 5)

    expect(file.read()).toEqual([{ id: idOf(2), epoch: 4_000_000_000 }])
  })

  test('has those that may begin in the same turn, and keeps each that goes on running when others are announced', () => {
    const { own, start, ids } = list()
    const jobs = Array.from({ length: 6 }, (_, n) => job(n))
    const [a, b, c, d, e] = jobs as [Job, Job, Job, Job, Job]

    own.beginTurn()
    start(a, [b, c, d], 3, false, () => expect(ids()).toEqual([idOf(0), idOf(1), idOf(2)]))
    start(b, [c, d], 2, true)
    start(c, [d], 1)
    own.endTurn()
    own.beginTurn()
    start(d, [e], 2)
    own.endTurn()

    expect(ids()).toEqual(expect.arrayContaining([idOf(0), idOf(2), idOf(3)]))
  })

  test('has nothing of those that go back before they begin, keeps what runs, and announces anew', () => {
    const { own, start, ids } = list()
    const [a, b, c, d, e] = Array.from({ length: 5 }, (_, n) => job(n)) as [Job, Job, Job, Job, Job]

    own.beginTurn()
    start(a, [b, c], 3)
    own.withdraw()
    expect(ids()).toEqual([idOf(0)])
    start(c, [d, e], 2, false, () => expect(new Set(ids())).toEqual(new Set([idOf(0), idOf(2), idOf(3)])))
    own.endTurn()
    own.withdraw()
    own.withdraw()

    expect(new Set(ids())).toEqual(new Set([idOf(0), idOf(2)]))
  })

  test('holds a thousand jobs that run at once', () => {
    const { own, start, ids, end } = list()
    const jobs = Array.from({ length: 1_000 }, (_, n) => job(n))

    own.beginTurn()
    for (const [i, each] of jobs.entries()) start(each, jobs.slice(i + 1), 1_000 - i)
    own.endTurn()
    expect(new Set(ids()).size).toBe(1_000)
    for (const each of jobs) end(each)
    own.beginTurn()
    for (let n = 0; n < 5_000; n++) {
      const quick = job(10_000 + n)
      start(quick, [], 1)
      end(quick)
    }

    expect(ids().length).toBeLessThanOrEqual(1_064)
  })

  test('never leaves out a job that runs, however they begin and end (property)', () => {
    const step = fc.record({
      begin: fc.nat(120),
      room: fc.integer({ min: 1, max: 90 }),
      quick: fc.nat(3),
      end: fc.nat(50),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const { own, start, ids, end } = list()
        const missing = (of: readonly Job[]) => {
          const listed = new Set(ids())
          return of.filter(({ claimed }) => !listed.has(claimed.id))
        }
        let next = 0
        const live: Job[] = []
        for (const { begin, room, quick, end: ends } of steps) {
          const queue = Array.from({ length: begin }, () => job(next++))
          own.beginTurn()
          for (let i = 0; i < Math.min(begin, room); i++) {
            const each = queue[i]
            if (each === undefined) break
            // If the process ended within this very handler, it and all that runs would be there.
            start(each, queue.slice(i + 1), room - i, quick === 0 && i % 2 === 0, () => {
              if (i % 7 === 0) expect(missing([each, ...live])).toEqual([])
            })
            if (!each.isOver) live.push(each)
          }
          own.endTurn()
          expect(missing(live)).toEqual([])
          for (const over of live.splice(0, ends)) end(over)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('passes over what is torn or no entry, and reads what is whole', () => {
    const { file, own, start } = list()
    const jobs = [job(1), job(2), job(3)] as const
    own.beginTurn()
    start(jobs[0], jobs.slice(1), 3)
    writeSync(file.fd, Buffer.from([0xff, 0, 0x31, 0x0a]), 0, 4, 48 + 10)
    expect(file.read().map(({ id }) => id)).toEqual([idOf(1), idOf(3)])

    ftruncateSync(file.fd, 2 * 48 + 20)
    expect(file.read().map(({ id }) => id)).toEqual([idOf(1)])
    writeSync(file.fd, 'x'.repeat(5_000), 0)
    expect(file.read()).toEqual([])
  })

  test('that cannot be written lets the jobs run and accuses nobody', () => {
    const path = join(tempDir(), 'read-only')
    closeSync(openSync(path, 'w'))
    const fd = openSync(path, 'r')
    onTestFinished(() => closeSync(fd))
    const own = new RunningList(fd)
    const a = job(1)

    own.beginTurn()
    own.beforeStart(fetched(a), waiting([]), 3)
    own.afterStart(running(a))
    own.endTurn()
    own.ended(running(a))
    own.beforeStart(fetched(job(2)), waiting([]), 3)

    expect(a.place).toBe(-1)
  })
})
