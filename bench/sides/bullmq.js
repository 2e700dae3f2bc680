/** BullMQ on Redis, or on PostgreSQL by the backend it brings: one worker of `concurrency`, as its guides say. */
import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq'
import pg from 'pg'
import { serve } from './side.js'
import { options, wait } from './timing.js'

const { url, redis, prefix, backend, concurrency, kept = true, asIs } = options
const postgres = backend === 'postgres'
/** "Give each backend enough pool connections for its concurrency": https://docs.bullmq.io/guide/postgresql */
const told = postgres
  ? { connection: { connectionString: url, ...(!asIs && { max: 25 }) } }
  : { connection: { url: redis, maxRetriesPerRequest: null }, prefix }
const factory = postgres ? [createPostgresBackend] : []
if (postgres) {
  const pool = new pg.Pool({ connectionString: url })
  const client = await pool.connect()
  await runMigrations(client)
  client.release()
  await pool.end()
}
const queue = new Queue('noop', told, ...factory)

await serve({
  enqueue: (data) => queue.add('noop', data),
  enqueueMany: (inputs) => queue.addBulk(inputs.map((data) => ({ name: 'noop', data }))),
  async start(handler) {
    const settings = { ...told, concurrency, ...(!kept && { removeOnComplete: { count: 0 } }) }
    const worker = new Worker('noop', async ({ data }) => handler(data), settings, ...factory)
    worker.on('error', console.error)
    await worker.waitUntilReady()
  },
  async settled(count) {
    const left = async () => {
      const { completed, active, waiting } = await queue.getJobCounts('completed', 'active', 'waiting')
      return kept ? completed < count : active + waiting > 0
    }
    while (await left()) await wait(1)
  },
  async close() {},
})
