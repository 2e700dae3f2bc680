/**
 * What a side is, and what is measured with it. A side tells how it enqueues and works:
 *
 * - `enqueue(input)` resolves when the job is as durable as the store makes it; `enqueueMany(inputs)` where there is such a call.
 * - `start(handler)` starts the one worker of this process with `options.concurrency`; the handler gets a job's input, and when it
 *   began where that was in another process.
 * - `settled(count)` resolves when the store says that `count` jobs are done, or that none is left where none is kept.
 * - `close()` is not measured.
 *
 * What one side does in another way (plainjob's producer, Millrace's drain) it gives as `scenarios` and `roles` of its own.
 */
import { analyze } from './analyze.js'
import './processes.js'
import {
  cpuShare,
  finish,
  inFlight,
  now,
  options,
  payload,
  payloads,
  percentiles,
  Tally,
  timed,
  wait,
} from './timing.js'

const { scenario, role, count, gapMs = 50, perSecond, seconds } = options

/** Does what this process was told, then ends it. */
export async function serve(side, own = {}) {
  const fill = () => fillWith(side)
  const scenarios = { ...scenariosOf(side, fill), ...own.scenarios }
  const roles = { ...rolesOf(side, fill), ...own.roles }
  if (role === undefined) {
    const figures = await scenarios[scenario]()
    await side.close()
    finish(figures)
  } else {
    await roles[role]()
    await side.close()
    process.exit(0)
  }
}

function scenariosOf(side, fill) {
  return {
    async a() {
      const took = []
      const figures = await timed(count, async () => {
        for (let i = 0; i < count; i++) {
          const at = now()
          await side.enqueue(payload(i))
          took.push(now() - at)
        }
      })
      return { ...figures, ...percentiles(took) }
    },
    b: () => timed(count, () => inFlight(100, count, (i) => side.enqueue(payload(i)))),
    c: () => timed(count, fill),
    /** From the worker's start to the last result durable. */
    async d() {
      await fill()
      await analyze()
      const { promise, resolve } = Promise.withResolvers()
      let done = 0
      return timed(count, async () => {
        await side.start(() => void (++done === count && resolve()))
        await promise
        await side.settled(count)
      })
    },
  }
}

function rolesOf(side, fill) {
  return {
    fill,
    /** Ends at the first job done. */
    async first() {
      await side.start(() => {})
      await side.settled(1)
      console.log('first job done')
    },
    /** Until its parent ends it. */
    async worker() {
      const tally = new Tally(options)
      await side.start(({ at }, beganAt) => tally.seen(at, beganAt))
      process.on('message', async ({ ask, ms }) => {
        if (ask === 'idleCpu') process.send({ idleCpu: await cpuShare(ms) })
      })
      process.send({ ready: true })
      await new Promise(() => setInterval(() => {}, 1e6))
    },
    producer: () => inFlight(100, Number.POSITIVE_INFINITY, (i) => side.enqueue(payload(i, now()))),
    /** One job each `gapMs`. */
    async pulse() {
      for (let i = 0; i < count; i++) {
        await side.enqueue(payload(i, now()))
        await wait(gapMs)
      }
    },
    /** `perSecond` jobs for some seconds, however long the calls take. */
    async paced() {
      const start = now()
      const calls = []
      for (let i = 0; i < perSecond * seconds; ) {
        const due = Math.min(perSecond * seconds, ((now() - start) * perSecond) / 1000)
        for (; i < due; i++) calls.push(side.enqueue(payload(i, now())))
        await wait(1)
      }
      await Promise.all(calls)
    },
  }
}

async function fillWith(side) {
  if (side.enqueueMany === undefined) return inFlight(20, count, (i) => side.enqueue(payload(i)))
  for (let i = 0; i < count; i += 1000) await side.enqueueMany(payloads(i, Math.min(1000, count - i)))
}
