/** What jobs leave in the memory of an isolate is not charged to the next one: src/core/process/isolate-wear.ts. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { ENTRY } from './entry.ts'
import * as handlers from './handlers.ts'
import { ended, type IsolatedJob, KINDS, scene } from './scene.ts'

const TIGHT = [
  ['thread', handlers.tightThread],
  ['process', handlers.tightProcess],
] as const

/** A worker, and how a job has ended that uses so many MiB so; the tight ones have 48. */
async function tight(job: IsolatedJob, options = {}) {
  const { mill, worker } = await scene(options)
  const send = (how: string, mib: number) => mill.enqueue(job, { how, text: String(mib) })
  return { mill, worker, send, run: async (how: string, mib: number) => ended(mill, (await send(how, mib)).id) }
}

describe.each(TIGHT)('a %s', (_, job) => {
  test('in which a job has left much is replaced: the next one has all of its memory', async () => {
    const { run } = await tight(job)

    const hoarder = await run('hoards', 24)
    const next = await run('needs', 20)

    expect(next).toMatchObject({ state: 'completed', crashes: 0 })
    expect(next.result).not.toBe(hoarder.result)
  })

  test('is replaced in time when each job leaves a little', async () => {
    const { run } = await tight(job)
    const places = new Set<unknown>()

    for (let i = 0; i < 14; i++) {
      const info = await run('hoards', 4)
      expect(info).toMatchObject({ state: 'completed', crashes: 0 })
      places.add(info.result)
    }

    expect(places.size).toBeGreaterThan(1)
    expect(places.size).toBeLessThan(8)
  })

  test('stays when what jobs leave is garbage', async () => {
    const { run } = await tight(job, { isolates: { size: 1 } })
    const places = new Set<unknown>()

    for (let i = 0; i < 5; i++) places.add((await run('wastes', 24)).result)

    expect(places.size).toBe(1)
  })

  test('that is the only one is looked at before a job that waits for it, which has another if too much is left', async () => {
    const { mill, worker, send } = await tight(job, { isolates: { size: 1 } })
    worker.pause()
    const jobs = [
      ['wastes', 24],
      ['needs', 20],
      ['hoards', 24],
      ['needs', 20],
    ] as const
    const sent = []
    for (const [how, mib] of jobs) sent.push(await send(how, mib))
    worker.resume()

    const infos = await Promise.all(sent.map(({ id }) => ended(mill, id)))

    for (const info of infos) expect(info).toMatchObject({ state: 'completed', crashes: 0, attempts: 1 })
    const [first, second, third, last] = infos.map(({ result }) => result)
    expect([second, third]).toEqual([first, first])
    expect(last).not.toBe(first)
  })
})

test.each(TIGHT)(
  'of many jobs in two isolates (%s) none dies for another, and none is left waiting',
  async (_, job) => {
    const { mill, send } = await tight(job, { concurrency: 6, isolates: { size: 2 } })
    const ways = [
      ['hoards', 8],
      ['wastes', 16],
      ['needs', 10],
      ['fine', 0],
      ['hoards', 3],
      ['needs', 14],
    ] as const
    const sent = []
    for (let round = 0; round < 4; round++) for (const [how, mib] of ways) sent.push(await send(how, mib))

    const infos = await Promise.all(sent.map(({ id }) => ended(mill, id)))

    for (const info of infos) expect(info).toMatchObject({ state: 'completed', crashes: 0, attempts: 1 })
  },
)

describe.each(KINDS)('a %s without a limit', (_, job) => {
  test('is replaced when its jobs have left more than 256 MiB there, a little each', async () => {
    const { run } = await tight(job, { isolates: { size: 1 } })
    const places: unknown[] = []

    for (let i = 0; i < 8; i++) places.push((await run('hoardsBuffers', 60)).result)

    // Beyond it with the fifth; one that ends within 5 ms of another is looked at with the next.
    const inFirst = places.filter((place) => place === places[0]).length
    expect([4, 5, 6, 7]).toContain(inFirst)
    expect(places.slice(0, inFirst)).toEqual(Array(inFirst).fill(places[0]))
  })

  test('stays when what they leave is garbage', async () => {
    const { run } = await tight(job, { isolates: { size: 1 } })
    const places = new Set<unknown>()

    for (let i = 0; i < 6; i++) places.add((await run('wastesBuffers', 150)).result)

    expect(places.size).toBe(1)
  })
})

test.each(['thread', 'process'] as const)('a job has a %s that is free rather than one that looks', async (kind) => {
  const { ThreadPool } = await import('../../src/worker/isolate/thread-pool.ts')
  const { ProcessPool } = await import('../../src/worker/isolate/process-pool.ts')
  const pool = kind === 'thread' ? new ThreadPool(OPTIONS) : new ProcessPool(OPTIONS)
  onTestFinished(() => pool.close())
  const begin = (how: string, mib: number, onDone = () => {}) =>
    new Promise<string>((resolve, reject) => {
      const message = { kind: 'run', job: { ...FACTS, id: how }, version: 1, entry: ENTRIES, memoryMib: 48 } as const
      pool.begin(message, JSON.stringify({ how, text: String(mib) }), 48, {
        onMessage: ({ kind: said }, body) => {
          if (said !== 'done') return
          onDone()
          resolve(JSON.parse(body))
        },
        onGone: reject,
      })
    })
  const [one, other] = await Promise.all([begin('needs', 1), begin('needs', 1)])
  expect(one).not.toBe(other)

  let next: Promise<string> | undefined
  const first = await begin('wastes', 24, () => {
    next = begin('place', 0)
  })

  expect([one, other]).toContain(first)
  expect(await next).toBe(first === one ? other : one)
})

const OPTIONS = { size: 2, idleMs: 60_000 }
const ENTRIES = [ENTRY].flat().map(String)
const FACTS = {
  name: 'tight-thread',
  queue: 'default',
  priority: 0,
  attempt: 1,
  tags: [],
  createdAt: 0,
  fence: 1,
} as const
