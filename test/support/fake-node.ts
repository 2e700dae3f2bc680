/** A supervisor whose worker processes are played by a test, on a clock that the test moves. */
import type { ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { ManualClock } from '../../src/base/clock.ts'
import { type EventName, type Events, Telemetry } from '../../src/base/telemetry.ts'
import type { RecycleLimits } from '../../src/core/process/recycle.ts'
import type { Lease, Store } from '../../src/store/contract/index.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import type { FromWorker, Pulse, ToWorker } from '../../src/worker/process/messages.ts'
import { Rescue } from '../../src/worker/process/rescue.ts'
import { Supervisor } from '../../src/worker/process/supervisor.ts'

/** Far above what any system gives: no signal of a test reaches a process. */
const FIRST_PID = 1_000_000_000
const STEP_MS = 250
/** How long a successor works beside its predecessor: see replacements.ts. */
const BESIDE_MS = 1_000
const NEVER: RecycleLimits = {
  memoryBytes: Number.POSITIVE_INFINITY,
  jobs: Number.POSITIVE_INFINITY,
  ageMs: Number.POSITIVE_INFINITY,
}

/** A worker process, played. */
export class FakeChild extends EventEmitter {
  readonly pid: number
  readonly workerId: string
  connected = true
  /** What it was told. */
  readonly told: ToWorker[] = []
  /** What its running list says. */
  begun: readonly Lease[] = []
  isOver = false

  constructor(pid: number, workerId: string) {
    super()
    this.pid = pid
    this.workerId = workerId
  }

  /** Called by the supervisor. */
  send(message: ToWorker): boolean {
    this.told.push(message)
    return true
  }

  kill(signal: NodeJS.Signals): boolean {
    queueMicrotask(() => this.exit(null, signal))
    return true
  }

  says(message: FromWorker): void {
    this.emit('message', message)
  }

  ready({ stopWithinMs = 20_000, leaseMs = 30_000 } = {}): void {
    const idle = { rssBytes: 50_000_000, pssBytes: null }
    this.says({ kind: 'ready', leaseMs, graceMs: 5_000, pulseMs: 1_000, stopWithinMs, idle })
  }

  pulse(more: Partial<Pulse> = {}): void {
    const health = {
      rssBytes: 50_000_000,
      pssBytes: null,
      heapBytes: 1,
      cpu: 0,
      loopDelayP50Ms: 0,
      loopDelayP99Ms: 0,
      storeAnsweredMs: 0,
      jobsDone: 0,
      node: 'v24',
    }
    this.says({ kind: 'pulse', running: 0, jobsDone: 0, isPaused: false, isolateBytes: 0, health, late: [], ...more })
  }

  exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    if (this.isOver) return
    this.isOver = true
    this.connected = false
    this.emit('exit', code, signal)
  }

  /** Ends as one that was told to stop does. */
  drain(): void {
    this.says({ kind: 'drained' })
    this.exit(0)
  }
}

/** What happened, in order. */
export type Happened = readonly [name: EventName, fact: Events[EventName]]

export interface FakeNode {
  readonly clock: ManualClock
  readonly supervisor: Supervisor
  readonly store: Store
  readonly children: readonly FakeChild[]
  /** Those that have not ended. */
  alive(): readonly FakeChild[]
  child(index: number): FakeChild
  /** Of what it was told. */
  kinds(index: number): readonly ToWorker['kind'][]
  /** Somebody afar has asked this of one worker. */
  asks(index: number, verb: Extract<FromWorker, { readonly kind: 'asked' }>['verb']): void
  facts<N extends EventName>(name: N): readonly Events[N][]
  /** Processes that the supervisor killed, and why. */
  killed(): readonly { readonly seat: number; readonly why: string }[]
  /** Lets time pass; those that talk send a pulse in each second's quarter. */
  pass(ms: number, talking?: readonly FakeChild[]): Promise<void>
  /** So many processes, of which one starts when the one before works, begin to work. */
  begins(count: number): Promise<void>
  /** A successor begins to work, and so much time passes that its predecessor is told to drain. */
  succeeds(child: FakeChild): Promise<void>
  /** Lets everything that was begun come to its end without time passing. */
  turn(): Promise<void>
}

const NAMES = [
  'process.started',
  'process.ready',
  'process.ended',
  'process.failing',
  'process.stalled',
  'process.heard',
  'process.replacing',
  'job.reclaimed',
  'store.failed',
] as const satisfies readonly EventName[]

/** Starts a supervisor of `processes` workers that say nothing until the test lets them. */
export async function fakeNode({
  processes = 1,
  cores = 32,
  limits = NEVER,
  stallLimitMs = 60_000,
  refuses = () => false,
}: {
  readonly processes?: number
  /** Default: so many that replacements need no rest. */
  readonly cores?: number
  readonly limits?: RecycleLimits
  readonly stallLimitMs?: number
  /** Whether the system gives no process now. */
  readonly refuses?: () => boolean
} = {}): Promise<FakeNode> {
  const clock = new ManualClock()
  const telemetry = new Telemetry()
  const store = createMemoryStore({ clock })
  await store.open()
  await store.migrate()
  const happened: Happened[] = []
  for (const name of NAMES) telemetry.on(name, (fact) => happened.push([name, fact]))
  const children: FakeChild[] = []
  const supervisor = new Supervisor({
    node: 'node',
    clock,
    telemetry,
    random: () => 0,
    rescue: new Rescue({ clock, telemetry, store: async () => store }),
    launch: (workerId) => {
      if (refuses()) throw new Error('EMFILE: too many open files')
      const child = new FakeChild(FIRST_PID + children.length, workerId)
      children.push(child)
      const list = { fd: -1, read: () => child.begun, readOwn: () => child.begun, close: () => undefined }
      // It has of a process what the supervisor uses.
      return { child: child as unknown as ChildProcess, list }
    },
    guard: { add: () => undefined, remove: () => undefined, close: async () => undefined },
    plan: {},
    processes,
    cores,
    stallLimitMs,
    limits,
  })
  supervisor.start()
  const turn = async () => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  // Each was put there under its own name.
  const facts = <N extends EventName>(name: N) =>
    happened.flatMap(([of, fact]) => (of === name ? [fact as Events[N]] : []))
  const childAt = (index: number) => {
    const child = children[index]
    if (child === undefined) throw new Error(`only ${children.length} children were started`)
    return child
  }
  return {
    clock,
    supervisor,
    store,
    children,
    alive: () => children.filter(({ isOver }) => !isOver),
    child: childAt,
    kinds: (index) => childAt(index).told.map(({ kind }) => kind),
    asks: (index, verb) => childAt(index).says({ kind: 'asked', verb, why: 'somebody asked for it' }),
    facts,
    killed: () =>
      facts('process.ended').flatMap(({ seat, how }) => {
        const [, why] = /^was killed: (.+)/.exec(how) ?? []
        return why === undefined ? [] : [{ seat, why }]
      }),
    pass: async (ms, talking = []) => {
      for (let left = ms; left > 0; left -= STEP_MS) {
        clock.advance(Math.min(left, STEP_MS))
        for (const child of talking) if (!child.isOver) child.pulse()
        await turn()
      }
    },
    begins: async (count) => {
      for (let i = 0; i < count; i++) {
        childAt(i).ready()
        await turn()
      }
    },
    succeeds: async (child) => {
      child.ready()
      await turn()
      clock.advance(BESIDE_MS)
      await turn()
    },
    turn,
  }
}
