/** The handlers of the simulated fleet: each start does the next step of its job's script, and writes down what it did. */
import { parseDuration } from '../../../src/core/duration.ts'
import { Discard, defineJob, type JobContext, RetryAfter } from '../../../src/index.ts'
import { type BoundHandler, handle } from '../../../src/job/handle.ts'
import type { Effect, Ledgers } from './ledgers.ts'
import type { JobPlan, Step } from './plan-jobs.ts'
import type { Actor, World } from './world.ts'

/** What a job is given: its number. */
export interface WorkInput {
  readonly n: number
}

/** What a job gives: its number again, and the fence of the attempt that made it. */
export interface WorkResult {
  readonly n: number
  readonly fence: number
}

/** What an attempt keeps for the next: the fence under which it did. */
export interface Checkpoint {
  readonly fence: number
}

/** The one kind of job. */
export const work = defineJob<WorkInput, WorkResult>({ name: 'work' })

/** What handlers act in. */
export interface HandlerParts {
  readonly world: World
  readonly actor: Actor
  readonly jobs: ReadonlyMap<number, JobPlan>
  readonly ledgers: Ledgers
  /** How often each job was started, anywhere. */
  readonly starts: Map<number, number>
  /** The process of the worker dies. */
  readonly onKill: () => void
}

const AGAIN_MS = 150

/** The handler of one worker. */
export function handlerOf(parts: HandlerParts): BoundHandler {
  const { world, actor, jobs, ledgers, starts, onKill } = parts
  return handle(work, ({ n }, job) => {
    const started = starts.get(n) ?? 0
    starts.set(n, started + 1)
    const step = stepOf(jobs.get(n), started)
    const effect: Effect = {
      n,
      fence: job.fence,
      attempt: job.attempt,
      worker: actor,
      at: world.now,
      heeds: step.heeds,
      endedAt: Number.POSITIVE_INFINITY,
      end: 'open',
      abortedAt: Number.POSITIVE_INFINITY,
      why: '',
    }
    ledgers.effects.push(effect)
    world.note(n, job.fence)
    world.tell(
      () =>
        `${actor.name} starts job ${n} fence ${job.fence}: ${step.kind} in ${step.ms}${step.heeds ? '' : ', heeds nothing'}`,
    )
    const end = (how: Effect['end']) => {
      effect.end = how
      effect.endedAt = world.now
      world.tell(
        () => `${actor.name} ends job ${n} fence ${job.fence}: ${how}${effect.why === '' ? '' : ` (${effect.why})`}`,
      )
    }
    if (step.ms === 0) return finish(step, effect, job, end)
    return new Promise<WorkResult>((resolve, reject) => {
      if (step.reports) world.after(actor, step.ms / 2, () => report(job), true)
      const finished = () => {
        if (step.kind === 'kill') return onKill()
        try {
          resolve(finish(step, effect, job, end))
        } catch (error) {
          reject(error)
        }
      }
      const cancel = world.after(actor, step.ms, finished, true)
      job.signal.addEventListener('abort', () => {
        if (effect.end !== 'open') return
        effect.abortedAt = world.now
        effect.why = String((job.signal.reason as Error).message)
        if (!step.heeds) return
        cancel()
        end('aborted')
        reject(job.signal.reason)
      })
    })
  })
}

/** The last step is done again and again. */
function stepOf(plan: JobPlan | undefined, started: number): Step {
  const step = plan?.script[Math.min(started, plan.script.length - 1)]
  if (step === undefined) throw new Error('a job that nobody planned was started')
  return step
}

function report(job: JobContext): void {
  job.progress(0.5, `fence ${job.fence}`)
  job.log(`half way, fence ${job.fence}`)
  // Whether it was kept, and whether it may have been, goes over the wire.
  job.checkpoint({ fence: job.fence } satisfies Checkpoint).catch(() => undefined)
}

function finish(step: Step, { n, fence }: Effect, job: JobContext, end: (how: Effect['end']) => void): WorkResult {
  switch (step.kind) {
    case 'throw':
      end('threw')
      throw new Error('as planned')
    case 'discard':
      end('discarded')
      throw new Discard('as planned')
    case 'retryAfter':
      end('threw')
      throw new RetryAfter(parseDuration(AGAIN_MS, 'again'))
    case 'snooze':
      end('snoozed')
      return job.snooze(AGAIN_MS)
    default:
      end('returned')
      return { n, fence }
  }
}
