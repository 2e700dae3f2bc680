/** SIGKILL of workers and of their connections to MySQL: nothing is lost, stuck or run again without a record. */
import { join } from 'node:path'
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob, type Millrace } from '../../src/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { openMill } from '../support/mill.ts'
import { generator, seedOf } from '../support/random.ts'
import { describeOn } from '../support/servers.ts'
import { tempDir } from '../support/temp-store.ts'
import { faultOf, logBytes, readRuns } from './ledger.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const JOBS = LONG ? 5_000 : 240
const BLOWS = LONG ? 50 : 6
const WORKERS = 3
/** Bytes of a job's two lines in the logs, at least. */
const BOTH_LINES = 88
/** Connections on this client's database, but for its own. */
const OTHERS = 'SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()'

const noted = defineJob({ name: 'noted', retry: false, run: (_: number) => undefined })

await describeOn('mysql', (server) => {
  test(
    `${JOBS} jobs, ${BLOWS} blows: a worker killed, or every connection ended`,
    async () => {
      const random = generator(seedOf(17))
      const url = server.freshUrl()
      await server.create(url)
      onTestFinished(() => server.drop(url))
      const folder = tempDir()
      const mill = await openMill({ store: url })
      const admin = await adminOf(url)
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
        } else await killOthers(admin)
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

async function adminOf(url: string): Promise<Connection> {
  const { hostname, port, username, password, pathname } = new URL(url)
  const user = { user: decodeURIComponent(username), password: decodeURIComponent(password) }
  const place = { host: hostname, port: Number(port || 3306), database: pathname.slice(1) }
  const admin = await mysql.createConnection({ ...place, ...user })
  onTestFinished(() => admin.end())
  return admin
}

async function killOthers(admin: Connection): Promise<void> {
  const [rows] = await admin.query<RowDataPacket[]>(OTHERS)
  // One that has ended by itself meanwhile is no longer known.
  for (const { id } of rows) await admin.query(`KILL ${Number(id)}`).catch(() => undefined)
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
