/**
 * F-29: what a crash of the machine leaves. All programs are stopped at a random instant, the file and its log are copied, and the
 * copies are opened as they are, without the part of the log that no commit has waited for, and cut at a random frame that was not
 * copied into the file yet, as when the disk had not been waited for. No test cuts the power: what `fsync` promises is believed.
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { invariantFaults } from '../../../support/invariants.ts'
import { pathOf } from '../../../support/tables.ts'
import { Fleet } from '../fleet.ts'
import type { Laboratory } from '../laboratory.ts'
import { readLedger } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

const SNAPSHOTS: Readonly<Record<Size, number>> = { short: 8, long: 250 }
const JOBS_EACH = 15
const WAL_HEADER = 32
const FRAME_HEADER = 24
/** Where the index of the log says how many frames it has, and how many may have been copied into the file. */
const INDEX = { frames: 16, copied: 128 } as const

/** The scenario. */
export const snapshots: Scenario = {
  name: 'snapshots',
  fault: 'F-29',
  summary: 'the file and its log as they are at random instants, opened',
  stores: ['sqlite'],
  leaseMs: { short: 3_000, long: 3_000 },
  async run(lab, size) {
    const producer = await lab.producer()
    const fleet = new Fleet(lab, 2)
    await fleet.ready()
    // The tables are in the file itself: whoever cuts all of the log leaves an empty store, not none.
    const db = new DatabaseSync(pathOf(lab.url), { timeout: 10_000 })
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    db.close()
    const wrong: string[] = []
    let [taken, cut] = [0, 0]
    for (let i = 0; i < SNAPSHOTS[size]; i++) {
      const inputs = Array.from({ length: JOBS_EACH }, () => ({
        ms: lab.between(0, 3),
        filling: 'x'.repeat(lab.between(0, 4_000)),
      }))
      const sent = producer.send({ kind: 'work', inputs })
      await lab.rest(0, 60)
      const all = [producer, ...fleet.workers]
      const go = Fleet.stop(lab, fleet.workers)
      producer.signal('SIGSTOP')
      await lab.until('all stand still', () => all.every(({ pid }) => standsStill(pid)))
      const folder = mkdtempSync(join(tmpdir(), 'millrace-snapshot-'))
      const acked = readLedger(lab.folder, 'producer').flatMap(({ id, status }) => (status === 'acked' ? [id] : []))
      for (const ending of ['', '-wal', '-shm']) {
        const from = `${pathOf(lab.url)}${ending}`
        if (existsSync(from)) copyFileSync(from, join(folder, `db${ending}`))
      }
      producer.signal('SIGCONT')
      go()
      taken++
      for (const variant of ['as it is', 'synced', 'cut'] as const) {
        const { path, isCut } = opened(lab, folder, variant)
        if (isCut) cut++
        const faults = await invariantFaults(`sqlite:${path}`)
        // What no commit waited for may be lost; what is left is whole.
        const missing = variant === 'cut' ? [] : missingIn(path, acked)
        wrong.push(...[...faults, ...missing].map((fault) => `snapshot ${i}, ${variant}: ${fault}`))
      }
      rmSync(folder, { recursive: true, force: true })
      await sent
    }
    return { fired: { snapshots: taken, cut }, wrong }
  },
}

/** A copy of the snapshot as a variant of the crash leaves it; whether anything was cut off. */
function opened(
  lab: Laboratory,
  folder: string,
  variant: 'as it is' | 'synced' | 'cut',
): { readonly path: string; readonly isCut: boolean } {
  const path = join(folder, `${variant.replaceAll(' ', '-')}.db`)
  copyFileSync(join(folder, 'db'), path)
  if (!existsSync(join(folder, 'db-wal'))) return { path, isCut: false }
  copyFileSync(join(folder, 'db-wal'), `${path}-wal`)
  const log = readFileSync(join(folder, 'db-wal'))
  if (variant === 'as it is' || log.length < WAL_HEADER) return { path, isCut: false }
  const index = readFileSync(join(folder, 'db-shm'))
  const [frames, copied] = [index.readUInt32LE(INDEX.frames), index.readUInt32LE(INDEX.copied)]
  const kept = variant === 'synced' ? frames : lab.between(Math.min(copied, frames), frames + 1)
  truncateSync(`${path}-wal`, Math.min(log.length, WAL_HEADER + kept * (FRAME_HEADER + log.readUInt32BE(8))))
  return { path, isCut: kept < frames }
}

function missingIn(path: string, acked: readonly string[]): readonly string[] {
  const db = new DatabaseSync(path)
  const rows = db.prepare('SELECT id FROM millrace_job UNION ALL SELECT id FROM millrace_archive').all()
  db.close()
  const there = new Set(rows.map(({ id }) => String(id)))
  return acked.filter((id) => !there.has(id)).map((id) => `${id} was acknowledged and is not there`)
}

/** A signal is acted on a moment after it was sent. */
function standsStill(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return status.slice(status.lastIndexOf(')') + 2)[0] === 'T'
}
