/** Where one run of a scenario takes place: a store, the ledgers' folder, processes, and chance that can be replayed. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type JobInfo, Millrace } from '../../../src/index.ts'
import { type Child, startChild } from '../../support/child.ts'
import { LIVE } from '../../support/live.ts'
import { giveToOrdinaryUser, ordinaryUser } from '../../support/other-user.ts'
import { generator } from '../../support/random.ts'
import { kindOf, type StoreKind } from '../../support/tables.ts'
import { until } from '../../support/until.ts'
import type { Built } from './built.ts'
import { type Holding, type Holdings, holdingsOf, uncaughtIn } from './holdings.ts'
import { type Appender, appendTo, type EffectLine, type FaultLine, LedgerReader, now } from './ledgers.ts'
import { type Count, Tally } from './tally.ts'
import type { Kind } from './worker/kinds.ts'
import type { Batch } from './worker/producer.ts'
import { environmentOf, type WorkerSettings } from './worker-settings.ts'

/** What a run is made on. */
export interface Place {
  readonly url: string
  readonly built: Built
  readonly seed: number
  readonly leaseMs: number
}

/** A producer of its own process. */
export interface Producer extends Pick<Child, 'pid' | 'signal'> {
  /** Has it enqueue; resolves when all of it was acknowledged. */
  send(batch: Batch): Promise<void>
}

const READY_MS = 60_000
const PAGE = 200
const WATCH_MS = 100
const MOST_DRAIN_MS = 1_800_000
const QUIET_MS = 10_000

/** Everything that a scenario works with. Ended once, whatever happens. */
export class Laboratory {
  readonly url: string
  readonly kind: StoreKind
  readonly leaseMs: number
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-run-'))
  readonly random: () => number
  readonly #built: Built
  readonly #faults: Appender<FaultLine>
  readonly #ends: (() => Promise<void>)[] = []
  readonly #effects: LedgerReader<'effects'>
  readonly #tally = new Tally()
  readonly #workers: Child[] = []
  readonly #heldFirst = new Map<Child, readonly Holding[]>()
  #noted = 0
  #overAt = 0
  #mill: Promise<Millrace> | undefined

  constructor({ url, built, seed, leaseMs }: Place) {
    this.url = url
    this.kind = kindOf(url)
    this.leaseMs = leaseMs
    this.random = generator(seed)
    this.#built = built
    this.#faults = appendTo(this.folder, 'faults')
    this.#effects = new LedgerReader(this.folder, 'effects')
  }

  /** A whole number from `from` on, below `to`. */
  between(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from))
  }

  /** A random time. Faults come at any moment, so this is no waiting for something. */
  async rest(fromMs: number, toMs: number): Promise<void> {
    await pause(this.between(fromMs, toMs))
  }

  /** The laboratory's own way to the store: makes its tables, looks and enqueues nothing. */
  mill(): Promise<Millrace> {
    this.#mill ??= Millrace.open({ store: this.url }).then((mill) => {
      this.onEnd(() => mill.close())
      const isOver = new AbortController()
      const watch = this.#watch(mill, isOver.signal)
      this.onEnd(() => {
        isOver.abort()
        return watch
      })
      return mill
    })
    return this.#mill
  }

  /** Runs when the run is over, the latest first. */
  onEnd(end: () => Promise<void>): void {
    this.#ends.push(end)
  }

  /** Writes a fault down. Before it is brought about, so that nothing comes of it that is not on record. */
  note(fault: Omit<FaultLine, 'from' | 'to'> & Partial<FaultLine>): void {
    this.#noted++
    this.#overAt = Math.max(this.#overAt, fault.to ?? 0)
    this.#faults.write({ from: now(), to: null, ...fault })
  }

  /** Starts a file of the laboratory's or the tests' in a process of its own. */
  child(
    file: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    asOrdinaryUser = false,
  ): Child {
    const user = asOrdinaryUser ? ordinaryUser() : {}
    return startChild(file, args, (end) => this.onEnd(end), { env: { ...this.#env(), ...env }, keeps: isKept, user })
  }

  /** Starts `millrace work` with the laboratory's handlers. */
  worker(settings: WorkerSettings = {}): Child {
    const { concurrency = 5, args = [], asOrdinaryUser } = settings
    const config = join(import.meta.dirname, 'worker/millrace.config.ts')
    const flags = ['--config', config, '--store', this.url, '--concurrency', `${concurrency}`, '--log', 'json']
    const worker = this.child(this.#built.bin, ['work', ...flags, ...args], environmentOf(settings), asOrdinaryUser)
    this.#workers.push(worker)
    return worker
  }

  /** Runs another command of `millrace` on the store, with the laboratory's configuration. */
  command(args: readonly string[], keys: string): Child {
    const config = join(import.meta.dirname, 'worker/millrace.config.ts')
    return this.child(this.#built.bin, [...args, '--config', config, '--store', this.url], { MILLRACE_LAB_KEYS: keys })
  }

  /** Gives these files, the ledgers and what was built to the user whose processes `asOrdinaryUser` starts. */
  giveToOrdinaryUser(...files: readonly string[]): void {
    for (const name of ['producer', 'effects', 'faults'] as const) appendTo(this.folder, name).close()
    const ledgers = readdirSync(this.folder).map((name) => join(this.folder, name))
    giveToOrdinaryUser(this.folder, ...ledgers, this.#built.folder, ...files.filter((file) => existsSync(file)))
  }

  /** Resolves when a worker has begun to work. */
  async ready(worker: Child): Promise<void> {
    await worker.line('{')
    this.hasBegun(worker)
  }

  /** A worker, or a node with all of its workers, works from now on: what it holds is what it should hold in the end, too. */
  hasBegun(worker: Child): void {
    if (!this.#heldFirst.has(worker)) this.#heldFirst.set(worker, holdingsOf(worker))
  }

  /** What workers held at first, and hold now. */
  get holdings(): Holdings {
    return { before: [...this.#heldFirst.values()].flat(), after: this.#workers.flatMap(holdingsOf) }
  }

  /** What workers that are over said of errors that nothing in them caught. */
  async uncaught(): Promise<readonly string[]> {
    const said = await Promise.all(this.#workers.filter(({ isOver }) => isOver).map(({ ended }) => ended))
    return said.flatMap(({ stderr }) => uncaughtIn(stderr))
  }

  /** Starts a producer. */
  async producer({ keys, asOrdinaryUser }: Pick<WorkerSettings, 'keys' | 'asOrdinaryUser'> = {}): Promise<Producer> {
    const file = join(import.meta.dirname, 'worker/producer.ts')
    const child = this.child(file, [], keys === undefined ? {} : { MILLRACE_LAB_KEYS: keys }, asOrdinaryUser)
    await child.line('ready')
    let sent = 0
    return {
      pid: child.pid,
      signal: child.signal,
      async send(batch) {
        child.tell(JSON.stringify(batch))
        sent += batch.inputs.length
        await child.line(`acked ${sent}`)
      },
    }
  }

  /** What handlers have done so far. */
  effects(): readonly EffectLine[] {
    return this.#effects.lines()
  }

  /** How many handlers have begun and ended, of one process or of all. */
  tally(pid?: number): Count {
    return this.#tally.follow(this.effects()).of(pid)
  }

  /** A process is gone: what it had begun is not under way any more. */
  forget(pid: number): void {
    this.#tally.follow(this.effects()).forget(pid)
  }

  /** When the last fault is over that was written down from here. */
  get overAt(): number {
    return this.#overAt
  }

  /** How many faults have been written down from here. */
  get noted(): number {
    return this.#noted
  }

  /** How many handlers have begun, of one process or of all. */
  starts(pid?: number): number {
    return this.tally(pid).starts
  }

  /** How many handlers a process has begun and not ended. */
  underWay(pid: number): number {
    const { starts, ends } = this.tally(pid)
    return starts - ends
  }

  /** Resolves when a condition holds; rejects with what it is called when it does not in time. */
  until(what: string, condition: () => boolean | Promise<boolean>, withinMs = READY_MS): Promise<void> {
    return until(condition, withinMs, () => `not within ${withinMs} ms: ${what}`)
  }

  /** How many jobs wait or run, of some kinds or of all, counted as far as `most`. */
  async left(most: number, kinds: readonly Kind[] = []): Promise<number> {
    const name = kinds.length > 0 ? { name: kinds } : {}
    return (await (await this.mill()).count({ state: LIVE, ...name }, most)).count
  }

  /** Resolves when no job waits or runs, or when for so long nothing has moved: the checker says what is stuck. */
  async drained(stillMs: number): Promise<void> {
    const mill = await this.mill()
    let [moved, movedAt] = [this.effects().length, now()]
    const isOver = async () => {
      const { count } = await mill.count({ state: LIVE }).catch(() => ({ count: 1 }))
      const reached = this.effects().length
      if (reached > moved) [moved, movedAt] = [reached, now()]
      return count === 0 || now() - movedAt > stillMs
    }
    await this.until('no job is left, or nothing moves', isOver, MOST_DRAIN_MS)
  }

  /** All jobs of these kinds, as they are now. */
  async jobsNamed(...name: readonly Kind[]): Promise<readonly JobInfo[]> {
    const mill = await this.mill()
    const found: JobInfo[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await mill.list({ name, limit: PAGE, ...(cursor !== undefined && { cursor }) })
      found.push(...page.jobs)
      cursor = page.next
      if (cursor === undefined) return found
    }
  }

  /** Stops the workers in good order: what they have still to write down is written. */
  async quiet(): Promise<void> {
    const left = this.#workers.filter(({ isOver }) => !isOver)
    for (const worker of left) worker.signal('SIGTERM')
    const areOver = () => left.every(({ isOver }) => isOver)
    await until(areOver, QUIET_MS, () => 'not over').catch(() => undefined)
  }

  /** Ends all that was started; the ledgers stay. */
  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end()
    this.#mill = undefined
  }

  /** Deletes the ledgers. */
  remove(): void {
    this.#faults.close()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }

  /** On a machine that is busy with other things a store may answer as late as under a fault: that is written down too. */
  async #watch({ store }: Millrace, signal: AbortSignal): Promise<void> {
    for (let version: number | null = null; !signal.aborted; ) {
      const from = now()
      version = await store.state.put('laboratory', '', version).catch(() => null)
      const to = now()
      if (to - from > this.leaseMs / 8) this.note({ kind: 'stall', pid: null, from, to })
      await pause(WATCH_MS)
    }
  }

  #env(): Readonly<Record<string, string>> {
    return {
      MILLRACE_LAB_FOLDER: this.folder,
      MILLRACE_LAB_STORE: this.url,
      MILLRACE_LAB_LEASE_MS: `${this.leaseMs}`,
      MILLRACE_LAB_PID: `${process.pid}`,
      MILLRACE_LAB_LIBRARY: this.#built.library,
      // Whatever the environment of whoever runs this says.
      MILLRACE_STORE: '',
      NODE_OPTIONS: '',
    }
  }
}

/** Of a worker's log the lines that are few. */
function isKept(line: string): boolean {
  return !line.includes('"job.settled"')
}
