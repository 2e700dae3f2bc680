/**
 * A fixed life of jobs on one store, in a process that kills itself at its n-th chance: see statement-trap.ts.
 * Arguments: the store's URL, the file of notes, n (0: live on to the end).
 */
import { ManualClock } from '../../src/base/clock.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { exitWithParent } from '../support/parent.ts'
import { kindOf } from '../support/tables.ts'
import { insertWithOrder } from './app-order.ts'
import { trapStatement } from './statement-trap.ts'
import { Story, writeNote } from './story.ts'

exitWithParent()
const [, , url = '', notes = '', at = '0'] = process.argv
const trap = await trapStatement(kindOf(url), Number(at), (session) => writeNote(notes, { session }))
// An hour ago, so that everything it leaves behind is due for the workers that come after.
const clock = new ManualClock(Date.now() - 3_600_000)
const store = await createStore(url, '.', clock)
const { jobs, queues } = store
const story = new Story(store, notes, trap)
const large = Array.from({ length: 600 }, (_, i) => `word ${i * 7919}`).join(' ')
const bytes = Buffer.from(large)

await store.open()
await story.step('migrate', () => store.migrate())

const plain = await story.insert('insert', [{}, {}, { priority: 50 }, { delayMs: 60_000 }, { expiresInMs: 60_000 }])
await story.insert(
  'insert alike',
  Array.from({ length: 23 }, () => ({ queue: 'alike' })),
)
const [parent = '', uncle = ''] = await story.insert('parents', [{ value: large, priority: 90 }, { delayMs: 50_000 }])
const [cancelled = '', , failed = ''] = await story.insert('children', [
  { parents: [[parent, 'cancel']] },
  { parents: [[parent, 'proceed']] },
  { parents: [[parent, 'fail']] },
  {
    parents: [
      [parent, 'proceed'],
      [uncle, 'proceed'],
    ],
  },
])
await story.insert('grandchildren', [{ parents: [[cancelled, 'fail']] }, { parents: [[failed, 'proceed']] }])
const key = { scope: 's', key: 'k', onConflict: 'existing' } as const
const [holder = ''] = await story.insert('unique', [{ unique: key }, { unique: { ...key, key: 'w', withinMs: 7e6 } }])
await story.insert('child of the holder', [{ parents: [[holder, 'cancel']] }, { unique: key }])
await story.insert('replace', [{ unique: { ...key, onConflict: 'replace' } }])
await story.step('within a transaction', () => {
  return insertWithOrder(url, store, story.job({ unique: { ...key, key: 'order' } }))
})

const first = await story.claim('w1', 7)
await story.step('start, report, save, extend', async () => {
  for (const job of first.slice(0, 2)) await jobs.start('w1', job)
  for (const job of [...first.slice(0, 3), ...first.slice(0, 1)]) await jobs.saveCheckpoint('w1', job, bytes)
  const logs = [1, 2, 3].map((seq) => ({ seq, level: 'info' as const, message: Buffer.from(`line ${seq}`) }))
  await jobs.report(
    'w1',
    first.map(({ id, epoch }) => ({ id, epoch, progress: 0.5, logs })),
  )
  await jobs.extend('w1', first, 30_000)
  await jobs.extendWaiting('w1', first, 30_000)
})
const ends = [
  { to: 'completed', result: null },
  { to: 'completed', result: bytes },
  { to: 'retrying', delayMs: 1_000, error: bytes },
  { to: 'failed', reason: 'exhausted', error: bytes },
  { to: 'scheduled', delayMs: 5_000 },
  { to: 'blocked', reason: 'key', on: 'k1' },
  { to: 'retrying', delayMs: 1_000, error: bytes, crashed: true },
] as const
await story.settle('w1', first, ends)
await story.step('cancel', () => jobs.cancel([uncle, ...plain.slice(3)]))
await story.step('retry', () => jobs.retry(first.map((job) => job.id)))
const second = await story.claim('w2', 8)
await story.step('cancel running', () => jobs.cancel(second.slice(0, 3).map((job) => job.id)))
await story.settle('w2', second, [ends[2], { to: 'pending' }, { to: 'cancelled', reason: 'requested', error: null }])
await story.step('recover', () => jobs.recover('w2', second.slice(0, 5), 2))
clock.advance(30_001)
await story.step('reclaim', () => jobs.reclaim(100))
clock.advance(60_000)
await story.step('expire', () => jobs.expire(100))
await story.step('promote', () => jobs.promote(100))
await story.step('unblock', () => jobs.unblock(['k1'], 100))
const third = await story.claim('w3', 100)
const others = third.filter((job) => job.id !== parent)
await story.settle(
  'w3',
  third.filter((job) => job.id === parent),
  [ends[3]],
)
await story.settle('w3', others, [...ends.slice(0, 4), ...ends.slice(0, 4), ...ends.slice(0, 4)])
await story.step('retry what ended', () => jobs.retry(story.ids.slice(0, 12)))
await story.step('update', () => jobs.update(story.ids.slice(0, 20), { priority: 7, queue: 'moved' }))
await story.step('reseal', () => jobs.reseal(null, 10, (row) => row.fields))
await story.step('remove', () => jobs.remove(story.ids.slice(0, 4)), true)
await story.step('pause', () => queues.pause('alike', 'story', 'to be cleared'))
await story.step('clear', () => queues.clear('alike', ['pending'], 5), true)
clock.advance(200_000)
await story.step('prune', () => jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 10), true)
story.note({ statements: trap.count(), commits: trap.commits })
await store.close()
process.exit(0)
