/**
 * What a supervised worker process runs, from its first message to its end. The program that calls this (the command line's, or the
 * library's) says how its plan is made into a Millrace with handlers; everything else is alike.
 */
import { systemClock } from '../base/clock.ts'
import { type ErrorCode, MillraceError, StoreError } from '../core/errors.ts'
import { HeapSamples } from '../worker/heap-samples.ts'
import { collectAll } from '../worker/memory.ts'
import { type WorkerOptions, workerSettings } from '../worker/options.ts'
import { channelUp, type WorkerEnd } from '../worker/process/channel.ts'
import { PROTOCOL, type ToWorker } from '../worker/process/messages.ts'
import { LIST_FD, RunningList } from '../worker/process/running-list.ts'
import { pssOf, Vitals } from '../worker/vitals.ts'
import { type Handlers, type Millrace, START_WORKER } from './millrace.ts'
import { outliveStrayErrors } from './stray-errors.ts'
import { VERSION } from './version.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** A Millrace that is open, and what is to be worked with it. */
export interface Prepared {
  readonly mill: Millrace
  readonly handlers: Handlers
  readonly options: WorkerOptions
}

/** What came from outside before this code was loaded; see bin/ and the programs' first lines. */
export interface EarlySignals {
  readonly names: readonly string[]
  release(): void
}

/** The longest time between two pulses. */
const PULSE_MS = 1_000
/** Pulses of one lease: a supervisor misses two and a half before it keeps the leases, which must hold until then. */
const PULSES_PER_LEASE = 6
/** Whatever a handler has left behind may hold a process that has nothing to do; not for longer than this. */
const LINGER_MS = 250
/** A store that does not answer holds up the end no longer. */
const CLOSE_WITHIN_MS = 1_000

/** Runs the worker of this process until it is told to stop, or its supervisor is gone. `prepare` gets the plan. */
export async function runWorkerProgram(
  prepare: (plan: unknown) => Promise<Prepared>,
  early: EarlySignals = { names: [], release: () => undefined },
): Promise<void> {
  const channel = channelUp()
  const inbox = new Inbox(channel)
  let exitCode = 0
  try {
    const { protocol, plan, node, workerId, isPaused } = await inbox.start
    if (protocol !== PROTOCOL) throw packageChanged(protocol)
    const prepared = await prepare(plan)
    exitCode = await work(prepared, { node, workerId, isPaused }, channel, inbox, early)
  } catch (error) {
    exitCode = 3
    await channel.send(failureOf(error))
  }
  process.exitCode = exitCode
  channel.close()
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

interface Place {
  readonly node: string
  readonly workerId: string
  readonly isPaused: boolean
}

async function work(
  { mill, handlers, options }: Prepared,
  { node, workerId, isPaused }: Place,
  channel: WorkerEnd,
  inbox: Inbox,
  early: EarlySignals,
): Promise<number> {
  const pssBytes = await pssOf('self')
  const idle = { rssBytes: process.memoryUsage.rss(), pssBytes }
  const { leaseMs, graceMs, stopWithinMs } = workerSettings(options, mill.store.capabilities)
  const pulseMs = Math.min(PULSE_MS, leaseMs / PULSES_PER_LEASE)
  // Told to stop while it prepared: its first claim would be one too many.
  if (inbox.isToldToStop || early.names.includes('SIGTERM')) {
    await closeSoon(mill)
    await channel.send({ kind: 'drained' })
    return 0
  }
  const worker = mill[START_WORKER](handlers, { dedicated: true, ...options }, workerId, {
    node,
    runningList: new RunningList(LIST_FD),
    onAsked: (verb, why) => void channel.send({ kind: 'asked', verb, why }),
  })
  if (isPaused) worker.pause()
  const vitals = new Vitals(systemClock)
  const heap = new HeapSamples(mill)
  const pulse = () => {
    const { running, jobsDone, isPaused, storeAnsweredMs, isStoreReadOnly, isolateBytes, isolateLeftBytes, late } =
      worker.view
    const health = vitals.read({ storeAnsweredMs, jobsDone }, null)
    heap.take(isolateLeftBytes)
    void channel.send({ kind: 'pulse', running, jobsDone, isPaused, isStoreReadOnly, isolateBytes, health, late })
  }
  const collect = async () => {
    collectAll()
    await worker.collectIsolates()
    const { isolateBytes, isolateLeftBytes } = worker.view
    heap.take(isolateLeftBytes)
    void channel.send({ kind: 'collected', isolateBytes, grew: heap.growth() })
  }
  // In the turn in which it starts, so before it claims.
  inbox.open((message) => act(worker, message, { pulse, collect }))
  channel.onOrphaned(() => stop(worker, true))
  takeSignals(worker, early)
  outliveStrayErrors(systemClock, (why) => void channel.send({ kind: 'asked', verb: 'restart', why }))
  await channel.send({ kind: 'ready', leaseMs, graceMs, pulseMs, stopWithinMs, idle })
  const pulses = setInterval(pulse, pulseMs)
  // That it could work is told at once: it may be killed before the next pulse.
  const stopListening = mill.on('job.settled', () => {
    stopListening()
    setImmediate(pulse)
  })
  try {
    await worker.done
    pulse()
    await closeSoon(mill)
    // Whoever says that it is drained is not recovered.
    if (worker.mayHoldLeases) throw notDrained()
    await channel.send({ kind: 'drained' })
    return 0
  } catch (error) {
    await channel.send(failureOf(error))
    await closeSoon(mill)
    return 3
  } finally {
    clearInterval(pulses)
    vitals.stop()
  }
}

async function closeSoon(mill: Millrace): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, CLOSE_WITHIN_MS).unref())
  // What goes wrong at the very end is nobody's any more.
  await Promise.race([mill.close().catch(() => undefined), late])
}

function notDrained(): StoreError {
  return new StoreError('transient', 'STORE_UNREACHABLE', 'it stopped before the store had taken what it held', {
    hint: 'Its jobs are recovered, or run again when their leases end.',
  })
}

function act(
  worker: WorkerHandle,
  message: ToWorker,
  { pulse, collect }: { readonly pulse: () => void; readonly collect: () => Promise<void> },
): void {
  switch (message.kind) {
    case 'stop':
      stop(worker, message.now)
      break
    case 'pause':
      worker.pause()
      pulse()
      break
    case 'resume':
      worker.resume()
      pulse()
      break
    case 'collect':
      void collect()
      break
    case 'start':
      break
    default:
      message satisfies never
  }
}

function stop(worker: WorkerHandle, now: boolean): void {
  void worker.stop()
  // A stop in a hurry is the second one of a worker: see WorkerHandle.stop.
  if (now) void worker.stop({ now: true })
}

/**
 * SIGTERM stops this worker, a second one at once: whoever stops a whole service sends it to each of its processes. The other signals
 * are the supervisor's.
 */
function takeSignals(worker: WorkerHandle, early: EarlySignals): void {
  let stops = 0
  const onTerm = () => stop(worker, ++stops > 1)
  process.on('SIGTERM', onTerm)
  for (const name of ['SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.on(name, () => undefined)
  early.release()
}

function failureOf(error: unknown): Extract<Parameters<WorkerEnd['send']>[0], { readonly kind: 'failed' }> {
  const isOurs = error instanceof MillraceError
  const message = error instanceof Error ? error.message : String(error)
  const code: ErrorCode = isOurs ? error.code : 'INTERNAL'
  // A store that cannot be reached may be there soon; a configuration does not mend itself.
  const isFinal = isOurs && !(error instanceof StoreError && error.kind === 'transient')
  return {
    kind: 'failed',
    code,
    message,
    isFinal,
    ...(isOurs && error.hint !== undefined && { hint: error.hint }),
    ...(error instanceof StoreError && { storeKind: error.kind }),
  }
}

/** The supervisor was started from another release of the package than lies on the disk now. */
function packageChanged(protocol: number): MillraceError {
  return new MillraceError(
    'PACKAGE_CHANGED',
    `the installed package was changed to ${VERSION} under a node that runs an incompatible release`,
    { fields: { version: VERSION, protocol, expected: PROTOCOL }, hint: 'Restart the node.' },
  )
}

/** Messages that came before somebody takes them wait for that. */
class Inbox {
  readonly start: Promise<Extract<ToWorker, { readonly kind: 'start' }>>
  #waiting: ToWorker[] = []
  #take: ((message: ToWorker) => void) | undefined
  #isOrphaned = false

  constructor(channel: WorkerEnd) {
    const start = Promise.withResolvers<Extract<ToWorker, { readonly kind: 'start' }>>()
    this.start = start.promise
    channel.onMessage((message) => {
      if (message.kind === 'start') start.resolve(message)
      else if (this.#take !== undefined) this.#take(message)
      else this.#waiting.push(message)
    })
    channel.onOrphaned(() => {
      this.#isOrphaned = true
      start.reject(new MillraceError('CLOSED', 'the supervisor has gone'))
    })
  }

  /** A stop waits to be taken, or the supervisor has gone. */
  get isToldToStop(): boolean {
    return this.#isOrphaned || this.#waiting.some(({ kind }) => kind === 'stop')
  }

  open(take: (message: ToWorker) => void): void {
    this.#take = take
    for (const message of this.#waiting.splice(0)) take(message)
  }
}
