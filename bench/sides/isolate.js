/**
 * What an isolate costs: jobs that do nothing, one at a time, in a warm isolate, above the same jobs in the worker itself; and the
 * first job of a worker, whose isolate has to start.
 */
import { Millrace } from '../../dist/index.js'
import { inProcess, inThread, none } from './isolated.js'
import { finish, now, options, payload } from './timing.js'

const { path, url, durability, count, kind } = options
const mill = await Millrace.open({ store: url ?? `sqlite:${path}?durability=${durability}` })
const entry = new URL('./isolated.js', import.meta.url)
const job = kind === 'thread' ? inThread : inProcess
const worker = mill.work([none, job], { concurrency: 1, dedicated: true, entry })

const cold = await msEach(job, 1)
await msEach(job, count / 10)
await msEach(none, count / 10)
const plain = await msEach(none, count)
const isolated = await msEach(job, count)
await mill.close()
finish({ cost: isolated - plain, isolated, plain, cold })

/** Milliseconds that each of so many jobs takes, from the first claim to the last end. */
async function msEach(which, times) {
  worker.pause()
  await mill.enqueueMany(
    which,
    Array.from({ length: times }, (_, i) => payload(i)),
  )
  const done = Promise.withResolvers()
  let left = times
  const forget = mill.on('job.settled', () => --left === 0 && done.resolve())
  const begun = now()
  worker.resume()
  await done.promise
  forget()
  return (now() - begun) / times
}
