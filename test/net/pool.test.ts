/** F-18: more handlers than connections, each holding one of the app's own and calling the store meanwhile. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS } from '../support/servers.ts'

const CONCURRENCY = 50
/** How long each handler keeps one of the app's ten connections: five rounds of it take longer than a lease. */
const HOLD_S = 0.7
const WORK = { lease: '3s', heartbeat: '500ms', poll: '20ms', concurrency: CONCURRENCY } as const

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    it(`a pool of two connections keeps the leases of ${CONCURRENCY} jobs that hold the app's own and enqueue more`, async () => {
      const url = await freshStoreUrl(server, { pool: '2' })
      const mill = await openMill({ store: url })
      const app = kind === 'postgres' ? postgresApp(server.url) : mysqlApp(url)
      const lost: string[] = []
      mill.on('lease.lost', ({ jobId }) => lost.push(jobId))
      const small = defineJob({ name: 'small', run: (input: number) => input })
      let highest = 0
      let running = 0
      const greedy = defineJob({
        name: 'greedy',
        run: async (input: number, job) => {
          highest = Math.max(highest, ++running)
          const more = Array.from({ length: 5 }, () => mill.enqueue(small, input))
          await Promise.all([app.hold(), ...more, mill.count({}), mill.get(job.id)])
          job.progress(0.5)
          running--
        },
      })

      const jobs = await mill.enqueueMany(
        greedy,
        Array.from({ length: CONCURRENCY }, (_, i) => i),
      )
      mill.work([greedy, small], WORK)
      await Promise.all(jobs.map((job) => job.result({ timeout: '25s' })))

      expect(highest).toBe(CONCURRENCY)
      expect(lost).toEqual([])
      for (const { id } of jobs) expect((await mill.get(id))?.history).toMatchObject([{ outcome: 'completed' }])
    })
  })
}

function postgresApp(url: string) {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  onTestFinished(() => pool.end())
  return {
    hold: () => pool.query('BEGIN; SELECT pg_sleep($$HOLD$$::float); COMMIT'.replace('$$HOLD$$', `${HOLD_S / 4}`)),
  }
}

function mysqlApp(url: string) {
  const pool = mysql.createPool(url.replace(/\?.*/, ''))
  onTestFinished(() => pool.end())
  return { hold: () => pool.query(`SELECT sleep(${HOLD_S})`) }
}
