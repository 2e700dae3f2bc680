/** Millrace alone: several processes on one file at default durability, a million rows, and a large payload. */

import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { createKeyRing, defineJob, Millrace } from '../../dist/index.js'
import { end, ended, role, told } from './processes.js'
import { finish, options, payloads, percentiles, wait } from './timing.js'

const { scenario, path, durability, count, seconds } = options
const url = options.url ?? `sqlite:${path}?durability=${durability}`
const noop = defineJob({ name: 'noop', run: async () => {} })

const SCENARIOS = {
  /** Calls of enqueue, one each 5 ms, while a worker in another process is busy with what waits. */
  async busy() {
    await ended(role('fill'))
    const worker = role('worker', { concurrency: 100 })
    await told(worker, 'ready')
    const { called } = await call({ width: 1, gapMs: 5 })
    const { done } = await stopped(worker)
    if (done >= count)
      throw new Error(`the worker ran out of jobs: ${done} in ${seconds} s; it has to be busy all along`)
    return { ...percentiles(called.took), perSecond: done / seconds, errors: called.errors.length }
  },
  /** Four workers and two producers of ten loops each. */
  async crowd() {
    const workers = Array.from({ length: 4 }, () => role('worker', { concurrency: 10 }))
    await Promise.all(workers.map((worker) => told(worker, 'ready')))
    const calls = await Promise.all([1, 2].map(() => call({ width: 10, gapMs: 0 })))
    const made = calls.reduce((sum, { called }) => sum + called.made, 0)
    const completed = await allCompleted(made)
    const ends = await Promise.all(workers.map(stopped))
    const errors = [...calls.flatMap(({ called }) => called.errors), ...ends.flatMap((each) => each.errors)]
    if (errors.length > 0) console.error(errors.slice(0, 3).join('\n'))
    const shares = ends.map(({ done }) => done)
    const ran = shares.reduce((sum, done) => sum + done, 0)
    const { p99, longest } = percentiles(calls.flatMap(({ called }) => called.took))
    return {
      perSecond: made / seconds,
      p99,
      longest,
      pickupP99: Math.max(...ends.map((each) => each.p99 ?? 0)),
      pickupLongest: Math.max(...ends.map((each) => each.longest ?? 0)),
      errors: errors.length + Math.abs(made - completed) + Math.abs(made - ran),
      leastShare: (Math.min(...shares) * shares.length) / ran,
    }
  },
  /**
   * Rounds of 10,000 jobs, topped up between them, so that as many rows wait at the start of each; the first is not counted.
   * Both sides of the comparison run the same rounds.
   */
  async rounds() {
    await ended(role(options.fillRole))
    const mill = await Millrace.open({ store: url })
    const perRound = 10_000
    let ms = 0
    for (let round = 0; round <= options.rounds; round++) {
      await mill.enqueueMany(noop, payloads(0, perRound))
      const start = performance.now()
      await mill.work([noop], { concurrency: 100, maxJobs: perRound }).done
      if (round > 0) ms += performance.now() - start
    }
    await mill.close()
    return { perSecond: (perRound * options.rounds * 1000) / ms }
  },
  /** Payloads of 1 MiB, sealed, one after the other through a client and a worker in one process. */
  async payload() {
    const keys = createKeyRing({ active: 'k1', keys: { k1: randomBytes(32) } })
    const mill = await Millrace.open({ store: url, codec: { keys } })
    const seen = defineJob({ name: 'large', run: async ({ text }) => ({ length: text.length, end: text.slice(-8) }) })
    mill.work([seen])
    const took = []
    const delay = monitorEventLoopDelay({ resolution: 1 })
    // Half of it is incompressible, so that compression is worth its while and does not make the payload small.
    const texts = Array.from({ length: count }, () => randomBytes(524_200).toString('hex'))
    delay.enable()
    for (const text of texts) {
      const start = performance.now()
      const job = await mill.enqueue(seen, { text })
      const result = await job.result({ timeout: '30s' })
      if (result.length !== text.length || result.end !== text.slice(-8))
        throw new Error('the payload came back changed')
      took.push(performance.now() - start)
    }
    delay.disable()
    await mill.close()
    const { p50, longest } = percentiles(took)
    return { p50, longest, loopDelay: delay.max / 1e6 - 1 }
  },
}

async function call(more) {
  const child = role('caller', more)
  const called = await told(child, 'called')
  await ended(child)
  return { called }
}

async function stopped(worker) {
  const answer = told(worker, 'stopped')
  worker.send({ ask: 'stop' })
  const figures = await answer
  await end(worker)
  return figures
}

/** Waits until every job is completed, at most half a minute; gives how many are. */
async function allCompleted(wanted) {
  const mill = await Millrace.open({ store: url })
  const deadline = performance.now() + 30_000
  for (;;) {
    const { count: completed } = await mill.count({ state: 'completed' }, wanted + 1)
    if (completed >= wanted || performance.now() > deadline) {
      await mill.close()
      return completed
    }
    await wait(200)
  }
}

finish(await SCENARIOS[scenario]())
