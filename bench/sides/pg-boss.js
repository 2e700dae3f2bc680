/**
 * pg-boss: batches that are fetched on without a pause while they are full, and LISTEN for what has to be picked up at once;
 * or as it comes, one job each two seconds and worker. It keeps what is done. https://pgboss.io/api/workers
 */
import { PgBoss } from 'pg-boss'
import { serve } from './side.js'
import { options, wait } from './timing.js'

const { url, concurrency, tuned, batch = concurrency, listens } = options
const boss = new PgBoss({
  connectionString: url,
  ...(tuned && { max: 25 }),
  useListenNotify: Boolean(tuned && listens),
})
boss.on('error', console.error)
await boss.start()
await boss.createQueue('noop', { notify: Boolean(tuned && listens) })
const OPTIONS = tuned
  ? { batchSize: batch, burstWhenBatchFull: batch > 1, pollingIntervalSeconds: 0.5 }
  : { localConcurrency: concurrency }

await serve({
  enqueue: (input) => boss.send('noop', input),
  enqueueMany: (inputs) =>
    boss.insert(
      'noop',
      inputs.map((data) => ({ data })),
    ),
  start: (handler) =>
    boss.work('noop', OPTIONS, async (jobs) => {
      for (const { data } of jobs) handler(data)
    }),
  async settled(count) {
    const done = async () => {
      const { rows } = await boss.getDb().executeSql("SELECT count(*) FROM pgboss.job WHERE state = 'completed'")
      return Number(rows[0].count)
    }
    while ((await done()) < count) await wait(1)
  },
  async close() {},
})
