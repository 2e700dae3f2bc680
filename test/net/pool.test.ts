/** F-18: more handlers than connections, each in a transaction of the app's own and calling the store meanwhile. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS } from '../support/servers.ts'
import { tally } from '../support/tally.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const CONCURRENCY = 50
const APP_CONNECTIONS = 10
/** How long each handler's transaction is open: five rounds of it take longer than a lease. */
const HOLD_S = LONG ? 30 : 0.7
const WORK = { lease: '3s', heartbeat: '500ms', poll: '20ms', concurrency: CONCURRENCY } as const

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    it(
      `a pool of two connections keeps the leases of ${CONCURRENCY} jobs that hold a transaction for ${HOLD_S} s each and enqueue more`,
      async () => {
        const url = await freshStoreUrl(server, { pool: '2' })
        const mill = await openMill({ store: url })
        const hold = kind === 'postgres' ? postgresApp(server.url) : mysqlApp(url)
        const lost: string[] = []
        mill.on('lease.lost', ({ jobId }) => lost.push(jobId))
        const small = defineJob({ name: 'small', run: (input: number) => input })
        let highest = 0
        let running = 0
        const greedy = defineJob({
          name: 'greedy',
          timeout: '10m',
          run: async (input: number, job) => {
            highest = Math.max(highest, ++running)
            const more = Array.from({ length: 5 }, () => mill.enqueue(small, input))
            const held = hold(async (tx) => {
              await mill.enqueue(small, input, { tx })
            })
            await Promise.all([held, ...more, mill.count({}), mill.get(job.id)])
            job.progress(0.5)
            running--
          },
        })

        const jobs = await mill.enqueueMany(
          greedy,
          Array.from({ length: CONCURRENCY }, (_, i) => i),
        )
        mill.work([greedy, small], WORK)
        await Promise.all(jobs.map((job) => job.result({ timeout: LONG ? '5m' : '25s' })))

        tally({ jobs: CONCURRENCY * 7, 'handlers at a time': highest })
        expect(highest).toBe(CONCURRENCY)
        expect(lost).toEqual([])
        for (const { id } of jobs) expect((await mill.get(id))?.history).toMatchObject([{ outcome: 'completed' }])
        const ended = async () => (await mill.count({ name: ['small'], state: ['completed'] })).count
        await expect.poll(ended, { timeout: 20_000 }).toBe(CONCURRENCY * 6)
      },
      LONG ? 600_000 : 60_000,
    )
  })
}

type Hold = (inside: (tx: unknown) => Promise<void>) => Promise<void>

/** A pool of the app's own: does something in a transaction that stays open for a while after it. */
function postgresApp(url: string): Hold {
  const pool = new pg.Pool({ connectionString: url, max: APP_CONNECTIONS })
  onTestFinished(() => pool.end())
  return async (inside) => {
    const client = await pool.connect()
    await client.query('BEGIN')
    await inside(client)
    await client.query('SELECT pg_sleep($1)', [HOLD_S])
    await client.query('COMMIT')
    client.release()
  }
}

function mysqlApp(url: string): Hold {
  const pool = mysql.createPool(url.replace(/\?.*/, ''))
  onTestFinished(() => pool.end())
  return async (inside) => {
    const connection = await pool.getConnection()
    // At REPEATABLE READ the enqueue in it would lock the gap behind the newest id, and all that is written there waits for its end.
    await connection.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
    await connection.beginTransaction()
    await inside(connection)
    await connection.query('SELECT sleep(?)', [HOLD_S])
    await connection.commit()
    connection.release()
  }
}
