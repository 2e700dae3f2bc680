/** One run of the kill tests: jobs in waves, and in the midst of each wave a blow at those who work on it. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { LedgerReader } from '../faults/lab/ledgers.ts'
import type { Child } from '../support/child.ts'
import { invariantFaults } from '../support/invariants.ts'
import { openMill } from '../support/mill.ts'
import { generator } from '../support/random.ts'
import { tempDir } from '../support/temp-store.ts'
import { readRuns } from './ledger.ts'
import { allEnded, enqueueAll, faultsOf, startWorker } from './load.ts'

/** How large a run is. */
export interface Sizes {
  readonly jobs: number
  readonly blows: number
  readonly workers: number
  /** How long a handler takes, at most. Among many blows one that takes long would be hit again and again, and quarantined. */
  readonly longestMs: number
}

/** What was seen in one run or in several. */
export interface Seen {
  readonly kills: number
  /** Sessions that were ended on the server. */
  readonly ended: number
  readonly losses: number
  readonly secondRuns: number
}

/** How many jobs of each wave another job waits for. */
const PARENTS = 10
/** On a busy machine a worker may not get its turn for a second or two, and a third loss would quarantine a job. */
const LEASE = '4s'
/** A job's lines in the ledger, at least. */
const BOTH_LINES = 2

/**
 * Kills a worker with each blow; with every other one, if there is `endSessions`, ends the sessions with the server instead, those
 * of the producer too. Fails unless each job was done, each start of a handler is explained and the tables are sound.
 */
export async function killRun(
  url: string,
  { jobs, blows, workers: count, longestMs }: Sizes,
  seed: number,
  endSessions?: () => Promise<number>,
): Promise<Seen> {
  const random = generator(seed)
  const folder = join(tempDir(), 'logs')
  mkdirSync(folder)
  const effects = new LedgerReader(folder, 'effects')
  const mill = await openMill({ store: url })
  const workers: Child[] = Array.from({ length: count }, () => startWorker(url, folder, LEASE))
  await Promise.all(workers.map((worker) => worker.line('ready')))

  const ids: string[] = []
  const children: string[] = []
  let [kills, ended] = [0, 0]
  for (let blow = 0; blow < blows; blow++) {
    const before = effects.lines().length
    const inputs = Array.from({ length: Math.floor((jobs * (blow + 1)) / blows) - ids.length }, () => {
      return Math.floor(random() * longestMs)
    })
    const wave = await enqueueAll(mill, inputs)
    ids.push(...wave)
    // Its parents' ends take the road of jobs with dependents.
    const dependsOn = wave.slice(-PARENTS).map((job) => ({ job, onFailure: 'proceed' as const }))
    children.push(...(await enqueueAll(mill, [0], { dependsOn })))
    // Somewhere between the first start of the wave and its last end. The first blow falls in the midst, at whoever runs most: a
    // run in which no blow hit anybody at work would prove nothing.
    const share = blow === 0 ? 0.5 : random()
    const wanted = before + Math.floor(share * inputs.length) * BOTH_LINES
    await expect.poll(() => effects.lines().length >= wanted, { timeout: 60_000, interval: 1 }).toBe(true)
    if (blow % 2 === 1 && endSessions !== undefined) {
      // Who is just opening the store is told that it could not, and would end: that is right, and not what is tried here.
      await Promise.all(workers.map((worker) => worker.line('ready')))
      ended += await endSessions()
    } else {
      const index = blow === 0 ? busiest(workers, effects) : Math.floor(random() * workers.length)
      const [victim] = workers.splice(index, 1)
      await victim?.line('ready')
      await victim?.kill()
      kills++
      workers.push(startWorker(url, folder, LEASE))
    }
  }
  await allEnded(mill, 90_000)
  await Promise.all(workers.map((worker) => worker.kill()))

  expect(ids).toHaveLength(jobs)
  expect(await faultsOf(mill, [...ids, ...children], folder)).toEqual([])
  expect(await invariantFaults(url)).toEqual([])
  const losses = (await Promise.all(ids.map((id) => mill.get(id)))).reduce((sum, job) => sum + (job?.losses ?? 0), 0)
  const starts = [...readRuns(folder).starts.values()]
  await mill.close()
  return { kills, ended, losses, secondRuns: starts.reduce((sum, all) => sum + all.length - 1, 0) }
}

/** The place of the worker that has most handlers under way. */
function busiest(workers: readonly Child[], effects: LedgerReader<'effects'>): number {
  const counts = workers.map(({ pid }) => {
    const lines = effects.lines().filter((line) => line.pid === pid)
    return lines.reduce((sum, { phase }) => sum + (phase === 'start' ? 1 : -1), 0)
  })
  return counts.indexOf(Math.max(...counts))
}

/** What several runs have seen together. */
export function together(runs: readonly Seen[]): Seen {
  const sum = (of: (seen: Seen) => number) => runs.reduce((total, seen) => total + of(seen), 0)
  return {
    kills: sum((seen) => seen.kills),
    ended: sum((seen) => seen.ended),
    losses: sum((seen) => seen.losses),
    secondRuns: sum((seen) => seen.secondRuns),
  }
}
