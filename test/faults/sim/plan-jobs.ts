/** The jobs of a run: when each is enqueued, with what options, and what its handler does each time that it is started. */
import type { RetryOptions } from '../../../src/core/job/retry.ts'
import type { UniqueOptions } from '../../../src/core/job/unique.ts'
import type { EdgePolicy } from '../../../src/store/contract/index.ts'
import { Chance } from './chance.ts'

/** What a handler does when it is started. */
export interface Step {
  /** `kill`: the process of the worker dies. */
  readonly kind: 'return' | 'throw' | 'discard' | 'retryAfter' | 'snooze' | 'kill'
  /** After this long; 0: at once, without a promise. */
  readonly ms: number
  /** Ends at once when it is told to stop; else it goes on as if it had not heard. */
  readonly heeds: boolean
  /** Tells of its progress, writes to its log and keeps a checkpoint, half way. */
  readonly reports: boolean
}

/** A job that has to end before another. */
export interface ParentPlan {
  readonly n: number
  readonly onFailure: EdgePolicy
}

/** One job. */
export interface JobPlan {
  /** Its number, from 1; its id is made of it. */
  readonly n: number
  readonly at: number
  /** Which of the producers enqueues it. */
  readonly producer: number
  /** How often an enqueue whose outcome is not known is tried again. */
  readonly tries: number
  /** The first of those with which it is enqueued by one call; null: it is enqueued alone. */
  readonly bulk: number | null
  readonly queue: string
  readonly priority: number
  readonly delayMs: number
  readonly expiresInMs: number | null
  readonly timeoutMs: number
  readonly retry: RetryOptions
  readonly unique: UniqueOptions | null
  readonly parents: readonly ParentPlan[]
  /** What each start of its handler does; the last one again and again. */
  readonly script: readonly Step[]
}

/** How many producers there are. */
export const PRODUCERS = 2

interface Taste {
  readonly isQuick: boolean
  readonly fails: boolean
  readonly isStubborn: boolean
  readonly hasPoison: boolean
  readonly hasParents: boolean
  readonly hasKeys: boolean
  readonly expires: boolean
  readonly isLate: boolean
}

/** The jobs of a run that lasts `chaosMs`. */
export function planJobs(
  chance: Chance,
  { leaseMs, chaosMs }: { readonly leaseMs: number; readonly chaosMs: number },
): readonly JobPlan[] {
  const taste: Taste = {
    isQuick: chance.flip(0.2),
    fails: chance.flip(0.6),
    isStubborn: chance.flip(0.3),
    hasPoison: chance.flip(0.08),
    hasParents: chance.flip(0.5),
    hasKeys: chance.flip(0.4),
    expires: chance.flip(0.2),
    isLate: chance.flip(0.4),
  }
  const count = taste.isQuick ? chance.whole(60, 120) : chance.whole(5, 40)
  // Most come early, and a good part of them together.
  const bursts = Array.from({ length: chance.whole(1, 6) }, () => chance.between(0, chaosMs * 0.7))
  const [first = 0] = bursts
  const jobs: JobPlan[] = []
  for (let n = 1; n <= count; n++) {
    const own = new Chance(chance.next() * 2 ** 31, n)
    const at = own.flip(0.7) ? own.pick([first, ...bursts]) + own.next() : own.between(0, chaosMs * 0.9)
    jobs.push({ n, at, ...planJob(own, n, taste, leaseMs) })
  }
  return chance.flip(0.3) ? withBulks(chance, jobs) : jobs
}

/** Some of the jobs that follow each other are enqueued together, with the options of their first: no key, no parents. */
function withBulks(chance: Chance, jobs: readonly JobPlan[]): readonly JobPlan[] {
  const bulked = [...jobs]
  for (let at = 0; at < jobs.length; ) {
    const size = chance.whole(1, 8)
    const [first, ...others] = jobs.slice(at, at + size)
    at += size
    if (first === undefined || others.length === 0 || chance.flip(0.5)) continue
    const shared = { ...first, unique: null, parents: [], bulk: first.n }
    for (const { n, script } of [first, ...others]) bulked[n - 1] = { ...shared, n, script }
  }
  return bulked
}

function planJob(chance: Chance, n: number, taste: Taste, leaseMs: number): Omit<JobPlan, 'n' | 'at'> {
  return {
    bulk: null,
    producer: chance.whole(0, PRODUCERS - 1),
    tries: chance.pick([0, 2, 5]),
    queue: chance.flip(0.3) ? 'media' : 'default',
    priority: chance.pick([1, 5, 5, 5, 10]),
    delayMs: taste.isLate && chance.flip(0.3) ? chance.whole(1, 2_000) : 0,
    expiresInMs: taste.expires && chance.flip(0.2) ? chance.whole(200, 3_000) : null,
    timeoutMs: chance.pick([300, 5_000, 5_000]),
    retry: {
      attempts: chance.whole(1, 4),
      backoff: chance.pick(['fixed', 'exponential']),
      delay: chance.whole(10, 400),
      jitter: chance.pick(['full', 'none']),
    },
    unique: taste.hasKeys && chance.flip(0.4) ? planKey(chance) : null,
    parents: taste.hasParents && n > 1 && chance.flip(0.35) ? planParents(chance, n) : [],
    script: planScript(chance, taste, leaseMs),
  }
}

function planKey(chance: Chance): UniqueOptions {
  return {
    key: `key-${chance.whole(1, 4)}`,
    onConflict: chance.pick(['existing', 'replace', 'reject']),
    ...(chance.flip(0.3) && { within: chance.whole(100, 3_000) }),
  }
}

function planParents(chance: Chance, n: number): readonly ParentPlan[] {
  const numbers = Array.from({ length: chance.whole(1, 3) }, () => Math.max(1, n - chance.whole(1, 8)))
  return [...new Set(numbers)].map((parent) => {
    return { n: parent, onFailure: chance.pick(['cancel', 'proceed', 'fail']) }
  })
}

function planScript(chance: Chance, taste: Taste, leaseMs: number): readonly Step[] {
  if (taste.hasPoison && chance.flip(0.1))
    return [{ kind: 'kill', ms: chance.whole(1, 50), heeds: true, reports: false }]
  const script: Step[] = []
  if (taste.fails && chance.flip(0.4)) {
    for (let left = chance.whole(1, 4); left > 0; left--)
      script.push(
        planStep(chance, taste, leaseMs, chance.weighted({ throw: 5, retryAfter: 1, snooze: 2, discard: 0.4 })),
      )
  }
  script.push(planStep(chance, taste, leaseMs, 'return'))
  return script
}

function planStep(chance: Chance, taste: Taste, leaseMs: number, kind: Step['kind']): Step {
  const length = taste.isQuick ? 'none' : chance.weighted({ none: 3, short: 5, middle: 2, long: 1, endless: 0.2 })
  const ms = {
    none: 0,
    short: chance.whole(1, 60),
    middle: chance.whole(60, 700),
    long: Math.floor(leaseMs * chance.between(0.8, 2.5)),
    endless: 3_600_000,
  }
  return {
    kind,
    ms: ms[length],
    heeds: !(taste.isStubborn && chance.flip(0.4)),
    reports: ms[length] > 0 && chance.flip(0.4),
  }
}
