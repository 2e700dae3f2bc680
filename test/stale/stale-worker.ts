/**
 * A worker that claims jobs and is then stopped by SIGSTOP. When it goes on, it knows nothing of the time that has passed
 * and makes every write about its attempts, at the line `go`. Arguments: the store's URL, how many jobs, the lease in ms.
 */
import { createInterface } from 'node:readline'
import { createStore } from '../../src/runtime/store-url.ts'
import { exitWithParent } from '../support/parent.ts'

exitWithParent()
const [, , url = '', count = '1', leaseMs = '100'] = process.argv
const store = await createStore(url)
await store.open()
const limit = Number(count)
const workerId = 'stale'
const claim = { workerId, queues: [{ queue: 'q', max: limit }], names: ['job'], limit, leaseMs: Number(leaseMs) }
const { claimed } = await store.jobs.exchange({ workerId, settle: [], claim })
console.log(`claimed ${claimed.length}`)
createInterface({ input: process.stdin }).once('line', () => void write())

async function write(): Promise<void> {
  const leases = claimed.map(({ id, epoch }) => ({ id, epoch }))
  const logs = [{ seq: 1, level: 'info' as const, message: Buffer.from('stale') }]
  const accepted = { extend: 0, extendWaiting: 0, start: 0, report: 0, saveCheckpoint: 0, settle: 0 }
  const count = (kind: keyof typeof accepted, answers: readonly string[]) => {
    accepted[kind] += answers.filter((answer) => answer !== 'lost').length
  }
  count('extend', await store.jobs.extend(workerId, leases, 60_000))
  count('extendWaiting', await store.jobs.extendWaiting(workerId, leases, 60_000))
  for (const lease of leases) {
    count('start', [await store.jobs.start(workerId, lease)])
    count('saveCheckpoint', [await store.jobs.saveCheckpoint(workerId, lease, Buffer.from('stale'))])
  }
  count(
    'report',
    await store.jobs.report(
      workerId,
      leases.map((lease) => ({ ...lease, progress: 1, note: Buffer.from('stale'), logs })),
    ),
  )
  const ends = [
    { to: 'completed', result: Buffer.from('stale') },
    { to: 'retrying', delayMs: 0, error: Buffer.from('stale') },
    { to: 'failed', reason: 'exhausted', error: Buffer.from('stale') },
    { to: 'cancelled', reason: 'requested', error: null },
    { to: 'scheduled', delayMs: 0 },
    { to: 'pending' },
  ] as const
  const settle = leases.map((lease, i) => ({ ...lease, runMs: 1, ...(ends[i % ends.length] ?? ends[0]) }))
  count('settle', (await store.jobs.exchange({ workerId, settle })).settled)
  console.log(`done ${JSON.stringify(accepted)}`)
  process.exit(0)
}
