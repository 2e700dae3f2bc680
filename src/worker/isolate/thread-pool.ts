/**
 * Isolates that are threads. piscina starts, keeps and ends them; one pool for each memory limit, since that is a thread's from its
 * start. An attempt is one of its tasks, with a port of its own for what is said meanwhile. When a thread is gone its end of the port
 * closes: that, not the pool's word, says that nothing of the handler runs any more. The port is read by its events alone: to take
 * messages off it by hand when it closes ends the process (Node 24.21).
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { IsolateDeath } from './isolate-error.ts'
import {
  COLLECT_TASK,
  type FromIsolate,
  NO_TASK,
  type Packet,
  type RunMessage,
  type ThreadLeft,
  type ThreadNeeds,
  type ToIsolate,
} from './message.ts'
import { isolateFile } from './place.ts'
import { type HeldIsolate, type IsolateListener, type Pool, type PoolOptions, poolClosed } from './pool.ts'
import type { ThreadTask } from './thread.ts'
import { fromWire } from './wire-error.ts'

/** A thread that native code keeps from ending is waited for no longer. */
const MOST_WAIT_MS = 2_000
/** Threads that are missed so often run very short attempts, whose garbage is little. */
const MOST_ROUNDS = 5
/** Of a thread that has not said what it needs: one that starts. */
const USUAL_NEED_BYTES = 14 * 1024 ** 2

/** Threads, warm and at work. */
export class ThreadPool implements Pool {
  readonly #options: PoolOptions
  readonly #pools = new Map<number | undefined, Threads>()
  readonly #held = new Set<HeldThread>()
  /** By the id of the thread. */
  readonly #needs = new Map<number, number>()
  /** The same: what jobs have left there. */
  readonly #left = new Map<number, number>()
  /** Tasks of threads whose attempt has ended, and that look at their memory. */
  readonly #collecting = new Set<Promise<void>>()
  #isClosed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  begin(message: RunMessage, body: string, memoryMib: number | undefined, listener: IsolateListener): HeldIsolate {
    if (this.#isClosed) throw poolClosed()
    const thread = new HeldThread(this.#poolOf(memoryMib), { message, body }, listener, {
      onNeeds: ({ threadId, bytes }) => this.#needs.set(threadId, bytes),
      onEnd: () => this.#ended(thread),
      onFree: (left) => this.#hasLeft(left),
      onWorn: () => this.#replace(memoryMib),
    })
    this.#held.add(thread)
    return thread
  }

  /** What its threads hold of themselves, in bytes: their modules, and nothing that jobs have left. */
  get needsBytes(): number {
    return sumOf(this.#needs, this.#alive, USUAL_NEED_BYTES)
  }

  /** What jobs have left in its threads beyond that, in bytes, garbage among it since the last collection. */
  get leftBytes(): number {
    return sumOf(this.#left, this.#alive, 0)
  }

  get #alive(): readonly number[] {
    return [...this.#pools.values()].flatMap(({ threads }) => threads.map(({ threadId }) => threadId))
  }

  /** Has every thread collect its garbage. Resolves when all have; one that is blocked has when it is not any more. */
  async collect(): Promise<void> {
    const collected = new Set<number>()
    const hasCollected = (left: ThreadLeft | undefined) => {
      if (left === undefined) return
      this.#hasLeft(left)
      collected.add(left.threadId)
    }
    // An attempt may end before its thread has collected, which then rests or is at another.
    for (let rounds = 0; rounds < MOST_ROUNDS && !this.#isClosed; rounds++) {
      const busy = [...this.#held].map((thread) => thread.collect())
      // Each takes a thread that rests.
      const resting = [...this.#pools.values()].flatMap((pool) =>
        Array.from({ length: pool.idleThreads }, () => pool.run(COLLECT_TASK).catch(() => undefined)),
      )
      for (const left of await Promise.all([...busy, ...resting])) hasCollected(left)
      await Promise.all(this.#collecting)
      if (this.#alive.every((threadId) => collected.has(threadId))) return
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const thread of this.#held) thread.kill()
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()))
    this.#pools.clear()
  }

  #hasLeft({ threadId, leftBytes }: ThreadLeft): void {
    this.#left.set(threadId, leftBytes)
  }

  /** Its attempt has ended; the thread itself may still look at its memory. */
  #ended(thread: HeldThread): void {
    this.#held.delete(thread)
    if (!thread.isCollecting) return
    this.#collecting.add(thread.task)
    void thread.task.then(() => this.#collecting.delete(thread.task))
  }

  /** A thread has ended itself. An attempt may have waited for it, which piscina gives to the next thread that is free or starts. */
  #replace(memoryMib: number | undefined): void {
    const pool = this.#pools.get(memoryMib)
    if (this.#isClosed || pool === undefined) return
    // Its own count of those that wait takes a thread that starts for one that is free.
    const held = [...this.#held].filter((thread) => thread.pool === pool)
    if (held.length >= pool.threads.length) void pool.run(NO_TASK).catch(() => {})
  }

  #poolOf(memoryMib: number | undefined): Threads {
    const known = this.#pools.get(memoryMib)
    if (known !== undefined) return known
    const pool: Threads = new Piscina({
      filename: isolateFile('thread'),
      minThreads: 0,
      maxThreads: this.#options.size,
      idleTimeout: this.#options.idleMs,
      // A thread that rests in Atomics.wait would hold up what its modules keep going: connections, caches.
      atomics: 'disabled',
      recordTiming: false,
      ...(memoryMib !== undefined && { resourceLimits: { maxOldGenerationSizeMb: memoryMib } }),
    })
    // A thread that ends while it rests harms nobody; one that ends at work is told by its task.
    pool.on('error', () => {})
    this.#pools.set(memoryMib, pool)
    return pool
  }
}

type Threads = Piscina<ThreadTask | typeof COLLECT_TASK | typeof NO_TASK, ThreadLeft>

/** What its pool hears of a thread at work. */
interface Keeper {
  readonly onNeeds: (needs: ThreadNeeds) => void
  readonly onEnd: () => void
  /** It is free for another attempt. */
  readonly onFree: (left: ThreadLeft) => void
  /** It has ended itself: too much was left in it. */
  readonly onWorn: () => void
}

class HeldThread implements HeldIsolate {
  readonly pool: Threads
  /** Resolves when the pool has the thread back, or it is gone. */
  readonly task: Promise<void>
  isCollecting = false
  readonly #listener: IsolateListener
  readonly #keeper: Keeper
  #collected: PromiseWithResolvers<ThreadLeft | undefined> | undefined
  readonly #port: MessagePort
  readonly #far: MessagePort
  readonly #controller = new AbortController()
  readonly #closed: Promise<void>
  /** The last message of the attempt, until the thread is free for another. */
  #last: readonly [message: FromIsolate, body: string] | undefined
  #death: IsolateDeath | undefined
  #isFree = false
  #isDone = false
  #isKilled = false

  constructor(
    pool: Threads,
    { message, body }: { readonly message: RunMessage; readonly body: string },
    listener: IsolateListener,
    keeper: Keeper,
  ) {
    this.pool = pool
    this.#listener = listener
    this.#keeper = keeper
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.#far = port2
    this.#closed = new Promise((resolve) => port1.once('close', () => resolve()))
    port1.on('message', ([heard, result]: Packet<FromIsolate>) => this.#heard(heard, result))
    this.task = pool
      .run({ port: port2, message, body }, { transferList: [port2], signal: this.#controller.signal })
      .then(
        (left) => {
          this.#keeper.onFree(left)
          this.#isFree = true
          this.#finish()
        },
        (error) => this.#ended(error),
      )
  }

  send(message: ToIsolate): void {
    this.#port.postMessage(message)
  }

  /** Resolves with what is left there when its garbage is collected, with undefined when the attempt has ended before. */
  collect(): Promise<ThreadLeft | undefined> {
    // An attempt may last: what was collected before says nothing of now.
    this.#collected?.resolve(undefined)
    this.#collected = Promise.withResolvers()
    this.send({ kind: 'collect' })
    return this.#collected.promise
  }

  kill(): void {
    if (this.#isKilled) return
    this.#isKilled = true
    this.#controller.abort()
    // One that no thread has taken yet is closed on both sides. Otherwise it is not ours any more, and nothing happens.
    this.#far.close()
  }

  #heard(message: FromIsolate, body: string): void {
    // What it says after it has ended itself, or after an error that nothing caught, is of no worth.
    if (this.#isDone || this.#death !== undefined) return
    if (message.kind === 'began' && message.needs !== undefined) this.#keeper.onNeeds(message.needs)
    if (message.kind === 'done') this.isCollecting = message.isCollecting
    if (message.kind === 'collected') this.#collected?.resolve(message)
    else if (message.kind === 'exit') this.#death = { kind: 'exited', code: message.code }
    else if (message.kind === 'fatal') {
      this.#death = { kind: 'uncaught', what: message.what, error: fromWire(message.error) }
      this.#controller.abort()
    } else if (message.kind === 'done') {
      this.#last = [message, body]
      if (message.left.length > 0) this.kill()
      this.#finish()
    } else this.#listener.onMessage(message, body)
  }

  /**
   * Tells the end, when the pool has the thread back as well: the next attempt would start another one else. The attempt does not wait
   * for a thread that looks at its memory.
   */
  #finish(): void {
    if (this.#isDone || this.#last === undefined || !(this.#isFree || this.#isKilled || this.isCollecting)) return
    this.#leave()
    this.#listener.onMessage(...this.#last)
  }

  /** The pool says that the thread has ended, or is being ended. Its port closes after all that it had said. */
  async #ended(error: unknown): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, MOST_WAIT_MS)
    })
    await Promise.race([this.#closed, late])
    clearTimeout(timer)
    if (this.isCollecting) this.#keeper.onWorn()
    if (this.#isDone) return
    this.#leave()
    if (this.#last !== undefined) this.#listener.onMessage(...this.#last)
    else this.#listener.onGone(this.#isKilled ? undefined : (this.#death ?? deathOf(error)))
  }

  #leave(): void {
    this.#isDone = true
    this.#port.close()
    this.#collected?.resolve(undefined)
    this.#keeper.onEnd()
  }
}

/** The sum over the threads that live, and forgets the others. */
function sumOf(bytes: Map<number, number>, alive: readonly number[], otherwise: number): number {
  const gone = [...bytes.keys()].filter((threadId) => !alive.includes(threadId))
  for (const threadId of gone) bytes.delete(threadId)
  return alive.reduce((sum, threadId) => sum + (bytes.get(threadId) ?? otherwise), 0)
}

function deathOf(error: unknown): IsolateDeath {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ERR_WORKER_OUT_OF_MEMORY' ? { kind: 'memory' } : { kind: 'start', error }
}
