/** Isolates that are processes: kept warm for a while, and never more than `size` at a time. */
import { Guard } from './guard.ts'
import { IsolateProcess } from './isolate-process.ts'
import type { RunMessage } from './message.ts'
import { type HeldIsolate, type IsolateListener, type Pool, type PoolOptions, poolClosed } from './pool.ts'

/** Processes, warm and at work. */
export class ProcessPool implements Pool {
  readonly #options: PoolOptions
  readonly #guard = new Guard()
  readonly #all = new Set<IsolateProcess>()
  /** Those that are free, the one that was used last at the end, and what ends each when nobody wants it. */
  readonly #idle = new Map<IsolateProcess, NodeJS.Timeout>()
  #isClosed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  begin(message: RunMessage, body: string, memoryMib: number | undefined, listener: IsolateListener): HeldIsolate {
    if (this.#isClosed) throw poolClosed()
    const isolate = this.#take(memoryMib) ?? this.#start(memoryMib)
    isolate.begin(message, body, listener)
    return isolate
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#idle.values()) clearTimeout(timer)
    this.#idle.clear()
    const all = [...this.#all]
    for (const isolate of all) isolate.kill()
    await Promise.all(all.map((isolate) => isolate.gone))
    await this.#guard.close()
  }

  /** The free one with that limit that was used last, since the others may then end; one that looks at its memory at the worst. */
  #take(memoryMib: number | undefined): IsolateProcess | undefined {
    const free = [...this.#idle.keys()].filter((each) => each.memoryMib === memoryMib && each.isUsable)
    const isolate = free.findLast((each) => !each.isCollecting) ?? free.at(-1)
    if (isolate !== undefined) this.#wake(isolate)
    return isolate
  }

  #start(memoryMib: number | undefined): IsolateProcess {
    // Those at work are fewer than `size`: one that rests with another limit makes room.
    const [eldest] = this.#idle.keys()
    if (this.#all.size >= this.#options.size && eldest !== undefined) {
      this.#wake(eldest)
      eldest.kill()
    }
    const isolate = new IsolateProcess(
      this.#guard,
      memoryMib,
      (free) => this.#freed(free),
      (gone) => {
        this.#wake(gone)
        this.#all.delete(gone)
      },
    )
    this.#all.add(isolate)
    return isolate
  }

  #freed(isolate: IsolateProcess): void {
    const timer = setTimeout(() => {
      this.#wake(isolate)
      isolate.kill()
    }, this.#options.idleMs)
    timer.unref()
    this.#idle.set(isolate, timer)
  }

  #wake(isolate: IsolateProcess): void {
    clearTimeout(this.#idle.get(isolate))
    this.#idle.delete(isolate)
  }
}
