/** SIGKILL at any moment, prefetched jobs and unsettled outcomes included: nothing is lost, stuck or run again without a record. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defineJob, type Millrace } from '../../src/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { invariantFaults } from '../support/invariants.ts'
import { openMill } from '../support/mill.ts'
import { generator, seedOf } from '../support/random.ts'
import { tempDir } from '../support/temp-store.ts'
import { faultOf, logBytes, readRuns } from './ledger.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const RUNS = LONG ? 20 : 1
const JOBS = LONG ? 5_000 : 300
const KILLS = LONG ? 50 : 6
const WORKERS = 4
/** How many jobs of each wave another job waits for. */
const PARENTS = 10
/** Bytes of a job's two lines in the logs, at least. */
const BOTH_LINES = 88

const noted = defineJob({ name: 'noted', retry: false, run: (_: number) => undefined })

test(
  `${RUNS} × ${JOBS} jobs, ${KILLS} times SIGKILL to one of ${WORKERS} workers`,
  async () => {
    const seed = seedOf(11)
    const totals = { kills: 0, losses: 0, secondRuns: 0 }
    for (let run = 0; run < RUNS; run++) {
      const seen = await runOnce(seed + run)
      totals.kills += seen.kills
      totals.losses += seen.losses
      totals.secondRuns += seen.secondRuns
    }
    if (LONG) console.log(JSON.stringify(totals))
    expect(totals.kills).toBe(RUNS * KILLS)
    // A run in which no kill hit anybody at work would prove nothing.
    expect(totals.losses).toBeGreaterThan(0)
  },
  LONG ? 3_600_000 : 120_000,
)

async function runOnce(seed: number): Promise<{ kills: number; losses: number; secondRuns: number }> {
  const random = generator(seed)
  const folder = tempDir()
  const path = join(folder, 'millrace.db')
  const logs = join(folder, 'logs')
  mkdirSync(logs)
  const mill = await openMill({ store: `sqlite:${path}?durability=normal` })
  const workers: Child[] = []
  const begin = () => workers.push(startChild(join(import.meta.dirname, 'kill-worker.ts'), [`sqlite:${path}`, logs]))
  for (let i = 0; i < WORKERS; i++) begin()
  await Promise.all(workers.map((worker) => worker.line('ready')))

  const ids: string[] = []
  const children: string[] = []
  let kills = 0
  for (; kills < KILLS; kills++) {
    const count = Math.floor((JOBS * (kills + 1)) / KILLS) - ids.length
    const before = logBytes(logs)
    const inputs = Array.from({ length: count }, () => Math.floor(random() * 6))
    const wave = (await mill.enqueueMany(noted, inputs)).map((job) => job.id)
    ids.push(...wave)
    // Its parents' ends take the road of jobs with dependents.
    const dependsOn = wave.slice(-PARENTS).map((job) => ({ job, onFailure: 'proceed' as const }))
    children.push((await mill.enqueue(noted, 0, { dependsOn })).id)
    // Somewhere between the first start of the wave and its last end.
    const wanted = before + Math.floor(random() * count) * BOTH_LINES
    await expect.poll(() => logBytes(logs) >= wanted, { timeout: 60_000, interval: 1 }).toBe(true)
    const [victim] = workers.splice(Math.floor(random() * workers.length), 1)
    await victim?.line('ready')
    await victim?.kill()
    begin()
  }
  await expect.poll(() => waiting(mill), { timeout: 60_000, interval: 50 }).toBe(0)
  await Promise.all(workers.map((worker) => worker.kill()))

  const runs = readRuns(logs)
  expect(ids).toHaveLength(JOBS)
  ids.push(...children)
  const jobs = await Promise.all(ids.map((id) => mill.get(id)))
  expect(ids.flatMap((id, i) => faultOf(jobs[i] ?? null, id, runs) ?? [])).toEqual([])
  expect(invariantFaults(path)).toEqual([])
  await mill.close()
  const losses = jobs.reduce((sum, job) => sum + (job?.losses ?? 0), 0)
  const secondRuns = [...runs.starts.values()].reduce((sum, starts) => sum + starts.length - 1, 0)
  return { kills, losses, secondRuns }
}

async function waiting(mill: Millrace): Promise<number> {
  return (await mill.count({ state: ['blocked', 'scheduled', 'pending', 'processing', 'retrying'] })).count
}
