/** F-08: handlers that end their process in every way, or fail in ways that are hard to write down: the record says how, in words. */
import type { JobInfo } from '../../../../src/index.ts'
import { Fleet } from '../fleet.ts'
import type { Scenario, Size } from '../scenario.ts'
import type { OddFailure, SuddenEnd } from '../worker/kinds.ts'

/** How processes end, and what the job's error has to say of it. */
const ENDS: Readonly<Record<SuddenEnd, RegExp>> = {
  'exit 0': /ended itself with exit code 0/,
  segfault: /was ended by SIGSEGV/,
  'unhandled rejection': /a rejection that nothing handled .*nobody heard this/,
  'exit 1': /ended itself with exit code 1/,
  abort: /was ended by SIGABRT/,
  kill: /was ended by SIGKILL/,
  'throw in a timer': /an exception that nothing caught .*thrown in a timer/,
  'unhandled rejection of undefined': /a rejection that nothing handled .*undefined/,
}
/** The same of what is hard to write down. */
const ODD: Readonly<Record<OddFailure, RegExp>> = {
  'stack overflow': /^Maximum call stack size exceeded$/,
  'rejection of undefined': /^undefined$/,
  // Whoever asks it for its message gets another error.
  'an error whose getters throw': /Error/,
  'a message of 10 MB': /^x{100}/,
  'a circular error': /^circular$/,
  'a frozen error': /^frozen$/,
}
const SIZES: Readonly<Record<Size, { readonly ends: number; readonly times: number; readonly healthy: number }>> = {
  short: { ends: 2, times: 1, healthy: 50 },
  long: { ends: Object.keys(ENDS).length, times: 3, healthy: 1_000 },
}
const WORKERS = 4
const SHOWN = 200

/** The scenario. */
export const sudden: Scenario = {
  name: 'sudden',
  fault: 'F-08',
  summary: 'handlers that end their process in 8 ways, or fail in 6 odd ones',
  hitsAtWork: true,
  leavesErrors: true,
  leaseMs: { short: 1_000, long: 1_000 },
  async run(lab, size) {
    const { ends, times, healthy } = SIZES[size]
    const producer = await lab.producer()
    // One job at a time, none ahead: each end hits one job.
    const fleet = new Fleet(lab, WORKERS, { concurrency: 1, prefetch: 0 })
    await fleet.ready()
    const fatal = namesOf(ENDS)
      .slice(0, ends)
      .flatMap((how) => Array.from({ length: times }, () => ({ how })))
    await producer.send({ kind: 'poison', inputs: fatal })
    await producer.send({ kind: 'odd', inputs: namesOf(ODD).map((how) => ({ how })) })
    await producer.send({ kind: 'work', inputs: Array.from({ length: healthy }, () => ({ ms: lab.between(0, 20) })) })
    const deaths = await fleet.tendUntilDrained()

    const mill = await lab.mill()
    const wrong: string[] = []
    for (const job of await lab.jobsNamed('poison')) {
      // What was sent above.
      const { how } = job.input as { readonly how: SuddenEnd }
      if (job.state !== 'failed' || job.reason !== 'quarantined') wrong.push(`${how}: ${job.state}, ${job.reason}`)
      if (job.crashes !== 3 || job.attempts !== 0)
        wrong.push(`${how}: ${job.crashes} crashes, ${job.attempts} attempts`)
      wrong.push(...unreadable(how, job, ENDS[how]))
    }
    for (const job of await lab.jobsNamed('odd')) {
      // What was sent above.
      const { how } = job.input as { readonly how: OddFailure }
      if (job.state !== 'failed' || job.reason !== 'exhausted') wrong.push(`${how}: ${job.state}, ${job.reason}`)
      wrong.push(...unreadable(how, job, ODD[how]))
    }
    const unwell = await mill.count({ name: 'work', state: ['failed', 'cancelled'] })
    if (unwell.count > 0) wrong.push(`${unwell.count} healthy jobs did not complete`)
    return { fired: { deaths, odd: namesOf(ODD).length }, wrong, figures: { deathsPerPoison: deaths / fatal.length } }
  },
}

/** What is wrong with the reason that a job's record gives. */
function unreadable(how: string, { error }: JobInfo, words: RegExp): readonly string[] {
  const { name = '', message = '' } = error ?? {}
  if (name !== '' && words.test(message)) return []
  return [`${how}: its error says "${name}: ${message.slice(0, SHOWN)}", and not what happened`]
}

function namesOf<N extends string>(words: Readonly<Record<N, RegExp>>): readonly N[] {
  // The names that it was written with.
  return Object.keys(words) as N[]
}
