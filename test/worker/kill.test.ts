/** SIGKILL at any moment, prefetched jobs and unsettled outcomes included: nothing is lost, and no second run is unexplained. */
import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob, type JobInfo } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempDir } from '../support/temp-store.ts'

const KILLS = process.env.MILLRACE_LONG ? 100 : 12
/** Enqueued right before each kill, so that it finds the workers at work. */
const WAVE = 1000

test(`two workers, ${KILLS} kills, ${WAVE} jobs before each`, async () => {
  const folder = tempDir()
  const store = `sqlite:${join(folder, 'millrace.db')}`
  const ledger = join(folder, 'ledger')
  const seed = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000)
  console.log(`seed ${seed}`)
  const random = generator(seed)
  const mill = await openMill({ store })
  const noted = defineJob({ name: 'noted', retry: false })
  const ids: string[] = []
  const workers = new Set<ChildProcess>()
  onTestFinished(() => {
    for (const worker of workers) worker.kill('SIGKILL')
  })
  const begin = async () => {
    const worker = fork(join(import.meta.dirname, 'kill-worker.ts'), [store, ledger])
    workers.add(worker)
    await new Promise((ready) => worker.once('message', ready))
    return worker
  }
  const end = async (worker: ChildProcess) => {
    const gone = new Promise((done) => worker.once('exit', done))
    worker.kill('SIGKILL')
    await gone
    workers.delete(worker)
  }

  let steady = await begin()
  let kills = 0
  for (; kills < KILLS; kills++) {
    const victim = await begin()
    const before = lines(ledger)
    const wave = await mill.enqueueMany(
      noted,
      Array.from({ length: WAVE }, () => undefined),
    )
    ids.push(...wave.map((job) => job.id))
    const wanted = before + Math.floor(random() * WAVE)
    await expect.poll(() => lines(ledger) >= wanted, { timeout: 20_000, interval: 1 }).toBe(true)
    // Now one, now the other, so that each is killed fresh and busy.
    const target = random() < 0.5 ? victim : steady
    if (target === steady) steady = victim
    await end(target)
  }
  await expect
    .poll(async () => (await mill.count({ state: ['pending', 'processing', 'retrying'] })).count, {
      timeout: 60_000,
      interval: 100,
    })
    .toBe(0)
  await end(steady)

  const starts = Map.groupBy(
    readFileSync(ledger, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('start ')),
    (line) => line.split(' ')[1] ?? '',
  )
  let losses = 0
  const unexplained: unknown[] = []
  for (const id of ids) {
    const job = await mill.get(id)
    expect(job).toMatchObject({ state: 'completed' })
    losses += job?.losses ?? 0
    const ran = starts.get(id)?.length ?? 0
    if (ran < 1 || ran > 1 + lost(job)) unexplained.push({ id, ran, job })
    expect(new Set(starts.get(id)).size).toBe(ran)
  }
  expect(unexplained).toEqual([])
  expect(kills).toBe(KILLS)
  expect(losses).toBeGreaterThan(0)
}, 600_000)

function lost(job: JobInfo | null): number {
  return job?.history.filter(({ outcome }) => outcome === 'lost').length ?? 0
}

function lines(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('\n').length
  } catch {
    // Nobody has written yet.
    return 0
  }
}

/** A seeded generator of numbers in [0, 1): Mulberry32. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
