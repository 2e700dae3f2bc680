/** Reads a run that is over: its ledgers, and every job as the store shows it. */
import type { JobInfo, Millrace as Mill, OpenOptions } from '../../../../src/index.ts'
import { invariantFaults } from '../../../support/invariants.ts'
import { kindOf, readTables } from '../../../support/tables.ts'
import type { Holdings } from '../holdings.ts'
import { now, readLedger } from '../ledgers.ts'
import { ATTEMPTS } from '../worker/kinds.ts'
import { Millrace } from '../worker/library.ts'
import type { Canary, History, JobRecord, Quiet } from './history.ts'

/** What the checker's process is told. */
export interface Question {
  readonly url: string
  readonly folder: string
  readonly leaseMs: number
  readonly recoverWithinMs: number
  readonly pauseWithinMs: number
  readonly quiet: Quiet
  readonly holdings: Holdings
  readonly uncaught: readonly string[]
  readonly keys?: { readonly active: string; readonly keys: Readonly<Record<string, string>> }
  /** Kinds of jobs whose logs are read, too. */
  readonly talkative?: readonly string[]
  /** Jobs of this kind wrote to the user's table. */
  readonly effectName?: string
  readonly canary?: Canary
}

const PAGE = 200
const KEPT_ATTEMPTS = 25
const STATES = [
  'blocked',
  'scheduled',
  'pending',
  'processing',
  'retrying',
  'completed',
  'failed',
  'cancelled',
] as const

/** Everything that is known of the run. */
export async function gather(question: Question, codec: OpenOptions['codec']): Promise<History> {
  const {
    url,
    folder,
    leaseMs,
    recoverWithinMs,
    pauseWithinMs,
    quiet,
    holdings,
    uncaught,
    talkative = [],
    effectName,
    canary,
    keys,
  } = question
  const mill = await Millrace.open({ store: url, ...(codec !== undefined && { codec }) })
  const jobs: JobRecord[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await mill.list({ limit: PAGE, order: 'oldest', ...(cursor !== undefined && { cursor }) })
    for (const job of page.jobs)
      jobs.push(recordOf(job, talkative.includes(job.name) ? await linesOf(mill, job.id) : [], keys !== undefined))
    cursor = page.next
    if (cursor === undefined) break
  }
  const counts = await Promise.all(
    STATES.map(async (state) => [state, (await mill.count({ state }, jobs.length + 1)).count]),
  )
  await mill.close()
  return {
    producer: readLedger(folder, 'producer'),
    effects: readLedger(folder, 'effects'),
    faults: readLedger(folder, 'faults'),
    jobs,
    counted: Object.fromEntries(counts),
    quiet,
    holdings,
    uncaught,
    tableFaults: await invariantFaults(url),
    terms: {
      leaseMs,
      marginMs: leaseMs / 4,
      attempts: ATTEMPTS,
      recoverWithinMs,
      pauseWithinMs,
      sharesLock: kindOf(url) === 'sqlite',
      keptAttempts: KEPT_ATTEMPTS,
      // The store is on this machine.
      wallMs: Date.now() - now(),
    },
    ...(effectName !== undefined && { effectName, effectRows: await effectsIn(url) }),
    ...(canary !== undefined && { canary }),
  }
}

function recordOf(job: JobInfo, lines: readonly string[], isSealed: boolean): JobRecord {
  return {
    id: job.id,
    name: job.name,
    queue: job.queue,
    state: job.state,
    reason: job.reason,
    attempts: job.attempts,
    losses: job.losses,
    crashes: job.crashes,
    waitingOn: job.waitingOn,
    // A scenario that writes rows itself seals nothing.
    isUnreadable: isSealed && job.isUnreadable,
    resultEpoch: epochOf(job.result),
    toldEpochs: [...(job.progressNote === null ? [] : [job.progressNote]), ...lines].flatMap((text) => {
      const epoch = /^epoch (\d+)$/.exec(text)?.[1]
      return epoch === undefined ? [] : [Number(epoch)]
    }),
    history: job.history.map(({ epoch, outcome, workerId, endedAt }) => ({
      epoch,
      outcome,
      workerId,
      endedAt: endedAt.getTime(),
    })),
  }
}

function epochOf(result: unknown): number | null {
  const isTold = typeof result === 'object' && result !== null && 'epoch' in result && typeof result.epoch === 'number'
  return isTold ? (result as { readonly epoch: number }).epoch : null
}

async function linesOf(mill: Mill, id: string): Promise<readonly string[]> {
  return (await mill.logs(id)).map(({ message }) => message)
}

function effectsIn(url: string): Promise<readonly string[]> {
  return readTables(url, async ({ rows }) => (await rows('SELECT id FROM effect')).map(({ id }) => String(id)))
}
