/** SIGKILL of workers and of their connections to PostgreSQL: nothing is lost, stuck or run again without a record. */
import { join } from 'node:path'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob, type Millrace } from '../../src/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { openMill } from '../support/mill.ts'
import { generator, seedOf } from '../support/random.ts'
import { describeOn, type TestServer } from '../support/servers.ts'
import { tempDir } from '../support/temp-store.ts'
import { faultOf, logBytes, readRuns } from './ledger.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const JOBS = LONG ? 5_000 : 240
const BLOWS = LONG ? 50 : 6
const WORKERS = 3
/** Bytes of a job's two lines in the logs, at least. */
const BOTH_LINES = 88
/** Sessions on a schema, known by the statements that they ran last. */
const SESSIONS = "FROM pg_stat_activity WHERE application_name = 'millrace' AND query LIKE $1"

const noted = defineJob({ name: 'noted', retry: false, run: (_: number) => undefined })

await describeOn('postgres', (server) => {
  test(
    `${JOBS} jobs, ${BLOWS} blows: a worker killed, or every connection ended`,
    async () => {
      const random = generator(seedOf(17))
      const url = server.freshUrl()
      onTestFinished(() => server.drop(url))
      const folder = tempDir()
      const mill = await openMill({ store: url })
      const admin = await adminOf(server)
      const begin = () => startChild(join(import.meta.dirname, 'kill-worker.ts'), [url, folder])
      const workers: Child[] = Array.from({ length: WORKERS }, begin)
      await Promise.all(workers.map((worker) => worker.line('ready')))

      const ids: string[] = []
      for (let blow = 0; blow < BLOWS; blow++) {
        const before = logBytes(folder)
        const inputs = Array.from({ length: JOBS / BLOWS }, () => Math.floor(random() * 6))
        ids.push(...(await enqueueAll(mill, inputs)))
        const wanted = before + Math.floor(random() * inputs.length) * BOTH_LINES
        await expect.poll(() => logBytes(folder) >= wanted, { timeout: 60_000, interval: 1 }).toBe(true)
        if (blow % 2 === 0) {
          await workers.shift()?.kill()
          workers.push(begin())
        } else await admin.query(`SELECT pg_terminate_backend(pid) ${SESSIONS}`, [`%${schemaOf(url)}%`])
      }
      await expect.poll(() => waiting(mill).catch(() => -1), { timeout: 90_000, interval: 50 }).toBe(0)
      await Promise.all(workers.map((worker) => worker.kill()))

      const runs = readRuns(folder)
      const jobs = await Promise.all(ids.map((id) => mill.get(id)))
      expect(ids.flatMap((id, i) => faultOf(jobs[i] ?? null, id, runs) ?? [])).toEqual([])
    },
    LONG ? 3_600_000 : 180_000,
  )
})

async function adminOf(server: TestServer): Promise<pg.Client> {
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  onTestFinished(() => admin.end())
  return admin
}

function schemaOf(url: string): string {
  return new URL(url).searchParams.get('schema') ?? ''
}

/** Enqueues on connections that may have been ended: what fails is enqueued again, as new jobs. */
async function enqueueAll(mill: Millrace, inputs: readonly number[]): Promise<readonly string[]> {
  for (let tries = 1; ; tries++) {
    try {
      return (await mill.enqueueMany(noted, inputs)).map((job) => job.id)
    } catch (error) {
      if (tries === 5) throw error
    }
  }
}

async function waiting(mill: Millrace): Promise<number> {
  return (await mill.count({ state: ['blocked', 'scheduled', 'pending', 'processing', 'retrying'] })).count
}
