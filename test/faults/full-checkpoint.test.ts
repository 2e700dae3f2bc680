/**
 * F-26: a disk that is full during a checkpoint. What was acknowledged stands in the log, and the file has no room to take it over:
 * not when somebody asks for a checkpoint, not after the commit that makes the log long, not when the last program closes the file.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defineJob, type Millrace, StoreError } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { type MountedDisk, mountDisk, PAGE_BYTES } from '../support/mounted-disk.ts'
import { lacks } from '../support/needs.ts'
import { generator, seedOf } from '../support/random.ts'
import { tally } from '../support/tally.ts'
import { readCopy, removeFile } from './copied-file.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const FILLS = LONG ? 40 : 6
const MIB = 24
/** SQLite begins a checkpoint by itself when its log has so many pages. */
const AUTOMATIC_PAGES = 1_000
const FILLING_BYTES = 3_000

interface Input {
  readonly n: number
  readonly filling: string
}

const hashes = defineJob({ name: 'hashes', run: ({ filling }: Input) => sha(filling) })

/** A store with acknowledged jobs that stand in its log. */
interface Scene {
  readonly path: string
  readonly mill: Millrace
  /** The hash of each acknowledged job's filling, by its id. */
  readonly acknowledged: Map<string, string>
  /** A connection of somebody else's. */
  readonly other: DatabaseSync
}

/** A way to a checkpoint. */
interface Way {
  readonly what: string
  /** How many pages are in the log before. */
  readonly logPages: number
  /** Room for the log to grow beside what the file needs. */
  readonly sparePages: number
  readonly go: (scene: Scene) => Promise<void>
}

const WAYS: readonly Way[] = [
  {
    what: 'somebody asks for one',
    logPages: 300,
    sparePages: 0,
    async go({ other }) {
      try {
        other.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      } catch (error) {
        expect(error).toMatchObject({ errstr: 'database or disk is full' })
      }
    },
  },
  {
    what: 'a commit makes the log long',
    logPages: AUTOMATIC_PAGES - 100,
    sparePages: 400,
    async go({ mill, acknowledged }) {
      for (let n = 0; n < 60; n++) {
        const input = inputOf(n)
        try {
          acknowledged.set((await mill.enqueue(hashes, input)).id, sha(input.filling))
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError)
          expect(error).toMatchObject({ code: 'STORE_FULL', kind: 'transient' })
          return
        }
      }
    },
  },
  {
    what: 'the last program closes the file',
    logPages: 300,
    sparePages: 0,
    async go({ mill, other }) {
      other.close()
      await mill.close()
    },
  },
]

describe.each(WAYS)('a checkpoint that finds the disk full, when $what,', (way) => {
  test(
    'loses nothing that was acknowledged, and is made up for when there is room',
    async ({ skip }) => {
      const disk = mountDisk(MIB)
      if (lacks('right to mount a file system', disk !== undefined) || disk === undefined) return skip()
      onTestFinished(() => disk.remove())
      const random = generator(seedOf(27))
      const outcomes = { untried: 0, cut: 0, whole: 0 }

      for (let i = 0; i < FILLS; i++) outcomes[await fillOnce(disk, way, (i + random()) / FILLS)]++

      if (LONG) console.log(JSON.stringify(outcomes))
      // Cut off in the middle of its writing, and with enough room.
      expect(outcomes.cut).toBeGreaterThan(0)
      expect(outcomes.whole).toBeGreaterThan(0)
      tally({ 'disks filled': FILLS, 'checkpoints cut off': outcomes.cut })
    },
    LONG ? 600_000 : 60_000,
  )
})

/** Goes one way to a checkpoint with this share of the room that it takes. Says how far the checkpoint came while the disk was full. */
async function fillOnce(disk: MountedDisk, way: Way, share: number): Promise<'untried' | 'cut' | 'whole'> {
  const scene = await sceneOn(disk, way.logPages)
  const { path, acknowledged } = scene
  const before = statSync(path).size
  // A little more than all of it, so that some of the sizes suffice.
  const whole = pagesOf(scene.other) * PAGE_BYTES
  const needed = (whole - before) / PAGE_BYTES + way.sparePages
  disk.fill(Math.floor(needed * share * 1.25))

  await way.go(scene)

  const after = statSync(path).size
  const ids = readCopy(path, (db) => db.prepare('SELECT id FROM millrace_job').all())
  expect(new Set(ids.map(({ id }) => id))).toEqual(new Set(acknowledged.keys()))

  disk.free()
  if (scene.other.isOpen) scene.other.close()
  await scene.mill.close()
  const mill = await openMill({ store: `sqlite:${path}` })
  const input = inputOf(-1)
  acknowledged.set((await mill.enqueue(hashes, input)).id, sha(input.filling))
  await mill.work([hashes], { drain: true }).done
  for (const [id, hash] of acknowledged) expect(await mill.get(id)).toMatchObject({ state: 'completed', result: hash })
  await mill.close()
  // With room for it the last one to close takes everything over.
  expect(existsSync(`${path}-wal`)).toBe(false)
  expect(readCopy(path, countArchived)).toBe(acknowledged.size)
  removeFile(path)
  tally({ jobs: acknowledged.size })
  return after === before ? 'untried' : after < whole ? 'cut' : 'whole'
}

/** A store on the disk with so many pages in its log, and next to nothing in its file. */
async function sceneOn(disk: MountedDisk, logPages: number): Promise<Scene> {
  const path = join(disk.folder, 'millrace.db')
  const mill = await openMill({ store: `sqlite:${path}` })
  const acknowledged = new Map<string, string>()
  const pages = () => statSync(`${path}-wal`).size / PAGE_BYTES
  for (let n = 0; pages() < logPages; n += 20) {
    const inputs = Array.from({ length: 20 }, (_, i) => inputOf(n + i))
    const jobs = await mill.enqueueMany(hashes, inputs)
    for (const [i, { id }] of jobs.entries()) acknowledged.set(id, sha(inputs[i]?.filling ?? ''))
  }
  const other = new DatabaseSync(path)
  onTestFinished(() => {
    if (other.isOpen) other.close()
  })
  // It maps the log's index now, which takes room.
  pagesOf(other)
  return { path, mill, acknowledged, other }
}

function inputOf(n: number): Input {
  return { n, filling: randomBytes(FILLING_BYTES).toString('base64').slice(0, FILLING_BYTES) }
}

function pagesOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA page_count').get()?.page_count)
}

function countArchived(db: DatabaseSync): unknown {
  return db.prepare('SELECT count(*) AS count FROM millrace_archive WHERE state = 5').get()?.count
}

function sha(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
