/**
 * The three ledgers of a run, each a file that several processes append to: what producers were told (acknowledged, or unknown
 * when a call failed), what handlers did, and which faults were brought about. A line is one `write` to a file opened for
 * appending, and it outlives the process that wrote it. They stand outside the database under test.
 *
 * SIGKILL can end a `write` where a page of the file ends (seen once in some hundred kills): the first part of a line is there, and
 * what others write follows on it. Whoever wrote it did not live to do anything more, so it is as if it had not been written.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** What became of an enqueue: `acked` after the call resolved, `unknown` after one that failed and may have been committed. */
export interface ProducerLine {
  readonly id: string
  readonly status: 'acked' | 'unknown'
  /** The jobs that this one waits for. */
  readonly parents?: readonly string[]
  readonly at: number
}

/** How a handler ended; `threw` also when it heeded its signal. */
export type HandlerEnd = 'returned' | 'threw'

/** What a handler did, under which lease, in which process. */
export type EffectLine = {
  readonly id: string
  readonly epoch: number
  readonly attempt: number
  readonly pid: number
  readonly at: number
} /** `parent`: the process that started this one. An isolate ends with its worker. */ & (
  | { readonly phase: 'start'; readonly parent?: number }
  | { readonly phase: 'effect' }
  | { readonly phase: 'aborted' }
  /** It still runs. One that is killed with its isolate cannot say that it ends. */
  | { readonly phase: 'pulse' }
  /** It listens there, and does not let go. */
  | { readonly phase: 'opened'; readonly path: string }
  /** It has started a process, or that one another. */
  | { readonly phase: 'forked'; readonly child: number }
  /** It wrote a note and a line of its log that name its epoch. */
  | { readonly phase: 'told' }
  | { readonly phase: 'end'; readonly end: HandlerEnd }
  /** It tried to speak for the job; `accepted` once another owned it is what must not be. */
  | { readonly phase: 'try'; readonly what: string; readonly answer: 'accepted' | 'refused' }
)

/**
 * `kill`: SIGKILL. `stop`: SIGSTOP until SIGCONT. `term`: asked to stop. `end`: a handler ended its process. `block`: a handler
 * held the event loop. `stall`: a process noticed that its loop had stood still. `cut`: no way to the store. `pause`: a queue or a
 * worker was paused, from when that was acknowledged until it was asked to go on.
 */
export type FaultKind = 'kill' | 'stop' | 'term' | 'end' | 'block' | 'stall' | 'cut' | 'pause'

/** A fault that was brought about, or noticed. */
export interface FaultLine {
  readonly kind: FaultKind
  /** Whom it hit; null: everybody. */
  readonly pid: number | null
  /** The name under which that process held jobs, where it is known. */
  readonly workerId?: string
  /** Which queue, where it hit one. */
  readonly queue?: string
  readonly from: number
  /** When it was over; null: it was not, as with a killed process. */
  readonly to: number | null
}

/** The lines of each ledger. */
export interface Ledgers {
  readonly producer: ProducerLine
  readonly effects: EffectLine
  readonly faults: FaultLine
}

/** Milliseconds by the machine's monotonic clock, the same for all of its processes. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1_000_000
}

/** A ledger of a run's folder, open for appending. */
export interface Appender<L> {
  write(line: L): void
  close(): void
}

/** Opens a ledger for appending. */
export function appendTo<N extends keyof Ledgers>(folder: string, name: N): Appender<Ledgers[N]> {
  const file = openSync(pathOf(folder, name), 'a')
  return {
    write: (line) => void writeSync(file, `${JSON.stringify(line)}\n`),
    close: () => closeSync(file),
  }
}

/** A ledger that is looked at again and again while it grows. */
export class LedgerReader<N extends keyof Ledgers> {
  readonly #path: string
  readonly #lines: Ledgers[N][] = []
  #read = 0

  constructor(folder: string, name: N) {
    this.#path = pathOf(folder, name)
  }

  /** All lines so far. Reads only what has come since the last look. */
  lines(): readonly Ledgers[N][] {
    if (!existsSync(this.#path)) return this.#lines
    const file = openSync(this.#path, 'r')
    const bytes = Buffer.alloc(fstatSync(file).size - this.#read)
    const count = readSync(file, bytes, 0, bytes.length, this.#read)
    closeSync(file)
    const whole = bytes.subarray(0, count).lastIndexOf('\n') + 1
    this.#read += whole
    for (const line of bytes.toString('utf8', 0, whole).split('\n')) this.#lines.push(...parsed<N>(line))
    return this.#lines
  }
}

/** All lines of a ledger so far, in the order in which they were written. Throws when one is neither whole nor was cut by a kill. */
export function readLedger<N extends keyof Ledgers>(folder: string, name: N): readonly Ledgers[N][] {
  const path = pathOf(folder, name)
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .flatMap(parsed<N>)
}

/** A line as it was written, without the first part of another that may stand before it. */
function parsed<N extends keyof Ledgers>(text: string): readonly Ledgers[N][] {
  // Each line is one flat object, and no text in it has a brace.
  const line = text.slice(Math.max(0, text.lastIndexOf('{')))
  // Only `appendTo` writes here.
  return line === '' ? [] : [JSON.parse(line) as Ledgers[N]]
}

/** Where a ledger stands. */
export function pathOf(folder: string, name: keyof Ledgers): string {
  return join(folder, `${name}.jsonl`)
}
