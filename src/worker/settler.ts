/**
 * Outcomes on their way to the store. They travel with the next exchange, in batches of at most 1,000 rows or 1 MiB. When
 * the store is away they stay here until it answers or their lease ends. A batch that a constraint refuses is halved until
 * the bad row stands alone; that row is settled as failed without its bytes, so that one bad row never holds up the rest.
 */
import { MAX_BATCH_ROWS, takeBatch } from '../core/batch.ts'
import type { Settlement, SettleResult } from '../store/contract/index.ts'
import type { RunningJob } from './running-job.ts'

/** A settlement and what is told about it once it is committed. */
export interface Outcome {
  readonly job: RunningJob
  readonly settlement: Settlement
  readonly errorLine?: string
}

/** Not the list of those that wait: what is added while an empty batch travels is no part of it. */
const NOTHING: readonly Outcome[] = []

/** Outcomes on their way to the store. */
export class Settler {
  #waiting: Outcome[] = []
  #maxRows = MAX_BATCH_ROWS
  #isProbing = false
  /** Taken out, and not answered yet. */
  #underWay = 0

  get waiting(): number {
    return this.#waiting.length
  }

  /** Outcomes that the store has not taken yet, as far as is known. */
  get unsettled(): number {
    return this.#waiting.length + this.#underWay
  }

  /** A batch was refused: outcomes travel without a claim until one is taken, so that no fault of a claim is laid at their door. */
  get isProbing(): boolean {
    return this.#isProbing
  }

  add(outcome: Outcome): void {
    this.#waiting.push(outcome)
  }

  /** Takes the next batch out, oldest first. */
  take(): readonly Outcome[] {
    if (this.#waiting.length === 0) return NOTHING
    const rows = takeBatch(this.#waiting, (o) => bytesOf(o.settlement), this.#maxRows)
    this.#underWay += rows
    if (rows === this.#waiting.length) {
      const all = this.#waiting
      this.#waiting = []
      return all
    }
    return this.#waiting.splice(0, rows)
  }

  /** Puts a batch back at the head: the store did not take it. */
  putBack(batch: readonly Outcome[]): void {
    this.#underWay -= batch.length
    this.#waiting = [...batch, ...this.#waiting]
  }

  /** A constraint refused this batch: it goes again without a claim, then half of it; a single row goes back stripped. Returns the row set aside. */
  refused(batch: readonly Outcome[]): Outcome | undefined {
    const [only] = batch
    if (!this.#isProbing) {
      this.#isProbing = true
      this.putBack(batch)
      return undefined
    }
    if (batch.length > 1 || only === undefined) {
      this.#maxRows = Math.max(1, batch.length >> 1)
      this.putBack(batch)
      return undefined
    }
    const { settlement } = only
    const isStripped = settlement.to === 'failed' && settlement.error === null
    // Even stripped it was refused: its lease will end and the store decides.
    if (isStripped) {
      this.#underWay--
      return only
    }
    const { id, epoch, runMs } = settlement
    this.putBack([{ ...only, settlement: { id, epoch, runMs, to: 'failed', reason: 'unreadable', error: null } }])
    return only
  }

  /** The store took a batch of so many rows: batches may be large again. True when claims had been held back for it. */
  accepted(rows: number): boolean {
    this.#underWay -= rows
    const hadProbed = this.#isProbing
    this.#isProbing = false
    this.#maxRows = MAX_BATCH_ROWS
    return hadProbed
  }
}

/** Pairs each outcome of a batch with the store's answer. */
export function answers(
  batch: readonly Outcome[],
  settled: readonly SettleResult[],
): readonly (readonly [Outcome, SettleResult])[] {
  return batch.map((outcome, i) => [outcome, settled[i] ?? 'lost'])
}

function bytesOf(settlement: Settlement): number {
  if (settlement.to === 'completed') return settlement.result?.byteLength ?? 0
  return 'error' in settlement ? (settlement.error?.byteLength ?? 0) : 0
}
