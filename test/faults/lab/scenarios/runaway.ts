/**
 * F-11 in isolates: handlers in threads and processes that never end, are deaf, block, fill their memory, and leave handles or
 * processes behind, beside healthy ones in the same workers. Each ends in time and for the reason that is true, with all that it has
 * started; no worker ends; and every slot and every place in an isolate is free again: as many jobs as there are meet in them.
 */
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { JobInfo } from '../../../../src/index.ts'
import type { Laboratory, Producer } from '../laboratory.ts'
import type { EffectLine } from '../ledgers.ts'
import { endProcess, Node } from '../node.ts'
import { processesWith } from '../processes.ts'
import type { Scenario, Size } from '../scenario.ts'
import { GRANDCHILD, type Inputs, type Runaway } from '../worker/kinds.ts'

type IsolatedKind = 'in-thread' | 'in-process'

interface Way {
  readonly kind: IsolatedKind
  readonly how: Runaway
}

/** In each kind of isolate about half of what may happen there; in the other one the rest. */
const FEW: readonly Way[] = [
  { kind: 'in-thread', how: 'never ends' },
  { kind: 'in-process', how: 'is deaf' },
  { kind: 'in-thread', how: 'blocks' },
  // Its third time is in a process.
  { kind: 'in-thread', how: 'leaks memory' },
  { kind: 'in-thread', how: 'leaves handles' },
  { kind: 'in-process', how: 'leaves handles and never ends' },
  { kind: 'in-process', how: 'leaves grandchildren' },
  { kind: 'in-process', how: 'leaves grandchildren and never ends' },
]
const REST: readonly Way[] = [
  { kind: 'in-process', how: 'never ends' },
  { kind: 'in-thread', how: 'is deaf' },
  { kind: 'in-process', how: 'blocks' },
  { kind: 'in-process', how: 'leaks memory' },
  { kind: 'in-process', how: 'leaves handles' },
  { kind: 'in-thread', how: 'leaves handles and never ends' },
]
const SIZES: Readonly<
  Record<
    Size,
    {
      readonly processes: number
      readonly rounds: number
      readonly ways: readonly Way[]
      readonly healthy: number
      readonly tame: number
    }
  >
> = {
  short: { processes: 2, rounds: 1, ways: FEW, healthy: 60, tame: 4 },
  long: { processes: 4, rounds: 10, ways: [...FEW, ...REST], healthy: 500, tame: 50 },
}
const SLOTS = 2
const TIMEOUT_MS = 600
const GRACE_MS = 200
/** From the end of the grace until nothing is heard of a handler any more. Beside other tests a worker has less time. */
const SLACK_MS: Readonly<Record<Size, number>> = { short: 6_000, long: 1_000 }
const DRAIN_MS = 300_000
const MEET_MS = 30_000
const CRASHES = 3

/** The scenario. */
export const runaway: Scenario = {
  name: 'runaway',
  fault: 'F-11',
  summary: 'isolated handlers that never end, block, fill their memory, or leave handles and processes behind',
  // So long that nobody takes back by it: whatever ends was ended, and no healthy job is lost.
  leaseMs: { short: 30_000, long: 30_000 },
  async run(lab, size) {
    const { processes, rounds, ways, healthy, tame } = SIZES[size]
    lab.onEnd(async () => {
      for (const pid of grandchildrenOf(lab)) endProcess(pid)
    })
    const producer = await lab.producer()
    const node = new Node(lab, { processes, concurrency: SLOTS, graceMs: GRACE_MS })
    await node.ready()
    const wrong: string[] = []
    for (let round = 0; round < rounds; round++) {
      await Promise.all([runAll(lab, producer, ways, tame), neighbours(lab, producer, healthy)])
      await lab.until('all jobs have ended', async () => (await lab.left(1)) === 0, DRAIN_MS)
      wrong.push(...(await leftBehind(lab)), ...(await stuckPlaces(lab, producer, processes * SLOTS, `round-${round}`)))
    }
    if (node.ends.length > 0) wrong.push(`${node.ends.length} workers ended: ${node.ends[0]?.how}`)
    return seen(lab, wrong, SLACK_MS[size])
  },
}

/** All ways in an order that chance decides, with jobs in between that behave. Only who is to be killed for it has little time. */
async function runAll(lab: Laboratory, producer: Producer, ways: readonly Way[], tame: number): Promise<void> {
  const behaving = (kind: IsolatedKind) => Array.from({ length: tame }, (): Way => ({ kind, how: 'behaves' }))
  const all = [...ways, ...behaving('in-thread'), ...behaving('in-process')]
  const order = all.map((way) => ({ way, at: lab.random() })).sort((a, b) => a.at - b.at)
  for (const { way } of order) {
    const { kind, how } = way
    await producer.send({ kind, inputs: [{ how }], ...(isKilled(how) && { timeoutMs: TIMEOUT_MS }) })
  }
}

async function neighbours(lab: Laboratory, producer: Producer, count: number): Promise<void> {
  await producer.send({ kind: 'work', inputs: Array.from({ length: count }, () => ({ ms: lab.between(0, 20) })) })
}

/** Whether it is there for as long as nobody ends it. */
function isKilled(how: Runaway): boolean {
  return how === 'never ends' || how === 'is deaf' || how === 'blocks' || how.endsWith('and never ends')
}

/** What lives on of those that have ended, while their worker lives. */
async function leftBehind(lab: Laboratory): Promise<readonly string[]> {
  const grandchildren = () => grandchildrenOf(lab)
  const jobs = new Map((await isolatedJobs(lab)).map((job) => [job.id, job]))
  const isolates = new Set(
    lab.effects().flatMap(({ phase, id, pid }) => {
      const job = jobs.get(id)
      // A thread's process is its worker, and one that behaves may be used again.
      return phase === 'start' && job?.name === 'in-process' && howOf(job) !== 'behaves' ? [pid] : []
    }),
  )
  const living = () => processesWith(folderOf(lab)).filter((pid) => isolates.has(pid))
  const listening = async () => {
    const paths = lab.effects().flatMap((line) => (line.phase === 'opened' ? [line.path] : []))
    return (await Promise.all(paths.map(isListening))).filter(Boolean).length
  }
  const areGone = async () => grandchildren().length + living().length + (await listening()) === 0
  await lab.until('nothing is left behind', areGone, SLACK_MS.short).catch(() => undefined)
  const [children, others, servers] = [grandchildren().length, living().length, await listening()]
  return [
    ...(children > 0 ? [`${children} processes live that a handler had started`] : []),
    ...(others > 0 ? [`${others} processes live whose handlers misbehaved`] : []),
    ...(servers > 0 ? [`${servers} handles are open that a handler has left`] : []),
  ]
}

function grandchildrenOf(lab: Laboratory): readonly number[] {
  return processesWith(folderOf(lab), `${GRANDCHILD}=1`)
}

function folderOf({ folder }: Laboratory): string {
  return `MILLRACE_LAB_FOLDER=${folder}`
}

/** As many jobs as there are slots have to be under way at a time: in threads, of which each worker has as many, then in processes. */
async function stuckPlaces(
  lab: Laboratory,
  producer: Producer,
  slots: number,
  name: string,
): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const kind of ['in-thread', 'in-process'] as const) {
    const wake = `${name}-${kind}`
    const before = lab.starts()
    const inputs = Array.from({ length: slots }, () => ({ how: 'behaves' as const, wake }))
    await producer.send({ kind, inputs })
    const met = () => lab.starts() - before
    await lab.until('all slots are taken', () => met() === slots, MEET_MS).catch(() => undefined)
    if (met() !== slots) wrong.push(`of ${slots} jobs ${kind} only ${met()} were under way at a time: a slot is stuck`)
    writeFileSync(join(lab.folder, wake), '')
    // The checker tells of those that wait for good.
    await lab.until('those that met have ended', async () => (await lab.left(1)) === 0, MEET_MS).catch(() => undefined)
  }
  return wrong
}

async function seen(lab: Laboratory, stuck: readonly string[], slackMs: number) {
  const jobs = await isolatedJobs(lab)
  const effects = Map.groupBy(lab.effects(), ({ id }) => id)
  const wrong = [...stuck]
  const latest: number[] = []
  for (const job of jobs) {
    const fault = dishonesty(job)
    if (fault !== null) wrong.push(fault)
    if (!isKilled(howOf(job))) continue
    const ms = lifeOf(effects.get(job.id) ?? [])
    // It was there as long as it might be, so that something had to be done about it.
    if (ms < TIMEOUT_MS) wrong.push(`${told(job)}: nothing was heard of it for all of its timeout, but for ${ms} ms`)
    latest.push(ms - TIMEOUT_MS - GRACE_MS)
  }
  const late = Math.round(Math.max(...latest))
  if (late > slackMs) wrong.push(`one that had to be killed was heard of ${late} ms after its grace`)
  for (const { id, state, attempts, losses, crashes } of await lab.jobsNamed('work'))
    if (state !== 'completed' || attempts !== 1 || losses + crashes > 0)
      wrong.push(`a neighbour, ${id}, is ${state}, ${attempts} attempts, ${losses} losses, ${crashes} crashes`)
  const count = (phase: EffectLine['phase']) => lab.effects().filter((line) => line.phase === phase).length
  const outOfMemory = jobs.filter((job) => howOf(job) === 'leaks memory').reduce((sum, { crashes }) => sum + crashes, 0)
  const fired = {
    killed: latest.length,
    deaf: count('aborted'),
    handles: count('opened'),
    grandchildren: count('forked'),
    outOfMemory,
  }
  return { fired, wrong, figures: { heardAfterGraceMs: late } }
}

/** How an attempt ended that it had to end otherwise, or whose reason is not the true one; null: all is told as it was. */
function dishonesty(job: JobInfo): string | null {
  const { state, reason, attempts, losses, crashes, error, name, history } = job
  const how = howOf(job)
  const isolate = name === 'in-thread' ? 'thread' : 'process'
  const outcomes = history.map(({ outcome }) => outcome).join()
  const is = `${state}, ${reason}, ${attempts} attempts, ${losses} losses, ${crashes} crashes, ${outcomes}, error ${error?.code ?? error?.name}: ${error?.message}`
  const isHonest =
    how === 'leaks memory'
      ? reason === 'quarantined' &&
        `${attempts} ${losses} ${crashes}` === `0 0 ${CRASHES}` &&
        outcomes === 'retrying,retrying,failed' &&
        error?.code === 'ISOLATE_OUT_OF_MEMORY'
      : isKilled(how)
        ? reason === 'exhausted' &&
          `${attempts} ${losses} ${crashes}` === '1 0 0' &&
          error?.name === 'TimeoutError' &&
          error.message.endsWith(`its ${isolate} was killed`)
        : state === 'completed' && `${attempts} ${losses} ${crashes}` === '1 0 0'
  return isHonest ? null : `${told(job)} is ${is}`
}

/** From its start to the last that was heard of it. */
function lifeOf(lines: readonly EffectLine[]): number {
  const at = (phase: EffectLine['phase']) => lines.flatMap((line) => (line.phase === phase ? [line.at] : []))
  return Math.max(...at('pulse')) - Math.min(...at('start'))
}

function isolatedJobs(lab: Laboratory): Promise<readonly JobInfo[]> {
  return lab.jobsNamed('in-thread', 'in-process')
}

function howOf({ input }: JobInfo): Runaway {
  // Only this scenario enqueues them.
  return (input as Inputs[IsolatedKind]).how
}

function told(job: JobInfo): string {
  return `one ${job.name} that ${howOf(job)}`
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
