/**
 * F-03: a worker is stopped in the midst of its handlers until another runs them, and goes on; its handlers then try to speak. How
 * soon they are aborted counts from SIGCONT, without what the worker's own loop stood still after that by the ledger of faults.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Child } from '../../../support/child.ts'
import { pathOf } from '../../../support/tables.ts'
import { Fleet } from '../fleet.ts'
import type { Laboratory } from '../laboratory.ts'
import { now, readLedger } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'
import { withoutStalls } from '../stalls.ts'
import { makeEffectTable } from './effect-table.ts'

const ROUNDS: Readonly<Record<Size, number>> = { short: 1, long: 20 }
const HANDLERS = 9
/** A worker may be stopped in the midst of a transaction, which a server ends after a minute. */
const TAKE_OVER_MS = 90_000
/** From SIGCONT until a handler's signal has aborted. Short runs are beside other tests, and short stalls are not on record. */
const ABORT_MS: Readonly<Record<Size, number>> = { short: 1_600, long: 100 }

/**
 * Stops it when it does not write. Whoever is stopped with the lock of a file in its hands keeps everybody from writing there, and
 * nobody can take over from it; a server ends such a transaction by itself.
 */
function stopBetweenWrites(lab: Laboratory, worker: Child): () => void {
  for (;;) {
    const go = Fleet.stop(lab, [worker])
    if (!lab.url.startsWith('sqlite:') || isWritable(pathOf(lab.url))) return go
    go()
  }
}

function isWritable(path: string): boolean {
  const db = new DatabaseSync(path, { timeout: 1_000 })
  try {
    db.exec('BEGIN IMMEDIATE')
    db.exec('ROLLBACK')
    return true
  } catch {
    return false
  } finally {
    db.close()
  }
}

/** The scenario. */
export const zombie: Scenario = {
  name: 'zombie',
  fault: 'F-03',
  summary: 'a stopped worker goes on when another runs its jobs, and its handlers speak',
  isOfStore: true,
  leaseMs: { short: 1_500, long: 2_000 },
  talkative: ['zombie'],
  async run(lab, size) {
    await makeEffectTable(lab.url)
    const producer = await lab.producer()
    let [pauses, refused, slowest, slowestInAll] = [0, 0, 0, 0]
    const wrong: string[] = []
    for (let round = 0; round < ROUNDS[size]; round++) {
      const wake = `wake-${round}`
      const stale = lab.worker({ concurrency: HANDLERS, prefetch: 0 })
      await lab.ready(stale)
      // One of them holds a transaction: on SQLite several in one process would wait for each other.
      const inputs = Array.from({ length: HANDLERS }, (_, i) => {
        return {
          wake,
          ends: i === 0 ? ('completes' as const) : i % 2 === 0 ? ('returns' as const) : ('throws' as const),
        }
      })
      await producer.send({ kind: 'zombie', inputs })
      await lab.until('all handlers have begun', () => lab.starts(stale.pid) === HANDLERS, TAKE_OVER_MS)
      const go = stopBetweenWrites(lab, stale)
      const current = lab.worker({ concurrency: HANDLERS, prefetch: 0 })
      await lab.until('another runs them', () => lab.starts(current.pid) === HANDLERS, TAKE_OVER_MS)
      const goneOnAt = now()
      go()
      pauses += HANDLERS
      const lost = () => stale.lines.filter((line) => line.includes('"lease.lost"')).length
      // Half of the rounds wake the handlers before their worker can know.
      const isKnownFirst = round % 2 === 1
      const abortedAt = () =>
        lab.effects().flatMap(({ phase, pid, at }) => (phase === 'aborted' && pid === stale.pid ? [at] : []))
      const isKnown = () => lost() === HANDLERS && abortedAt().length === HANDLERS
      if (isKnownFirst) await lab.until('all leases are known to be lost, and their signals aborted', isKnown)
      writeFileSync(join(lab.folder, wake), '')
      await lab.until('each loss is told once', () => lost() >= HANDLERS)
      refused += lost()
      if (lost() !== HANDLERS) wrong.push(`${lost()} losses of ${HANDLERS} were told`)
      await lab.drained(TAKE_OVER_MS)
      // One that has completed its job in a transaction of its own may have yet to return, and to say so.
      const pids = [stale.pid, current.pid]
      await lab.until('their handlers have ended', () => pids.every((pid) => lab.underWay(pid) === 0))
      const own = lab.effects().filter(({ pid }) => pid === stale.pid)
      const faults = readLedger(lab.folder, 'faults')
      slowestInAll = Math.max(slowestInAll, ...abortedAt().map((at) => at - goneOnAt))
      slowest = Math.max(slowest, ...abortedAt().map((at) => withoutStalls(faults, stale.pid, goneOnAt, at)))
      const kept = own.flatMap((line) => (line.phase === 'try' && line.what === 'checkpoint' ? [line.answer] : []))
      const keptNot = kept.filter((answer) => answer === 'refused').length
      if (keptNot !== HANDLERS) wrong.push(`${keptNot} checkpoints of ${HANDLERS} were refused`)
      for (const worker of [stale, current]) await worker.kill()
    }
    if (slowest > ABORT_MS[size])
      wrong.push(`a signal aborted ${Math.round(slowest)} ms after SIGCONT that no stall explains`)
    const figures = { slowestAbortMs: Math.round(slowestInAll), slowestAbortUnexplainedMs: Math.round(slowest) }
    return { fired: { pauses }, wrong, refused, figures }
  },
}
