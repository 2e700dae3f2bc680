/** What handlers have done so far, counted as their ledger grows: a long run asks many times a second. */
import type { EffectLine } from './ledgers.ts'

/** Handlers of one process, or of all. */
export interface Count {
  readonly starts: number
  readonly ends: number
}

const NONE: Count = { starts: 0, ends: 0 }

/** The counts of one ledger. */
export class Tally {
  readonly #byProcess = new Map<number, Count>()
  #all = NONE
  #read = 0

  /** Counts what has come since the last time. `lines`: the same list each time, which only grows. */
  follow(lines: readonly EffectLine[]): this {
    for (; this.#read < lines.length; this.#read++) {
      const line = lines[this.#read]
      if (line?.phase !== 'start' && line?.phase !== 'end') continue
      this.#all = plus(this.#all, line.phase)
      this.#byProcess.set(line.pid, plus(this.of(line.pid), line.phase))
    }
    return this
  }

  /** Counts a process from nothing again. */
  forget(pid: number): void {
    this.#byProcess.delete(pid)
  }

  /** Of one process, or of all. */
  of(pid?: number): Count {
    return pid === undefined ? this.#all : (this.#byProcess.get(pid) ?? NONE)
  }
}

function plus({ starts, ends }: Count, phase: 'start' | 'end'): Count {
  return phase === 'start' ? { starts: starts + 1, ends } : { starts, ends: ends + 1 }
}
