/** F-26: a disk that is full during a migration. A step is there as a whole or not at all, and so is every job. */
import { createHash } from 'node:crypto'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { createCodec } from '../../src/codec/codec.ts'
import { defineJob, Millrace, type StoreError } from '../../src/index.ts'
import { laterStore } from '../store/later.ts'
import { mountDisk } from '../support/mounted-disk.ts'
import { lacks } from '../support/needs.ts'
import { generator, seedOf } from '../support/random.ts'
import { tally } from '../support/tally.ts'
import { tempStorePath } from '../support/temp-store.ts'
import { readCopy, removeFile } from './copied-file.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
/** In the long form more than SQLite keeps in memory, so that it writes to the disk before the commit too. */
const JOBS = LONG ? 4_000 : 300
const MIB = LONG ? 64 : 16
/** Every size of room up to this is tried: the first steps need a few pages each. */
const CLOSE_PAGES = LONG ? 64 : 24
const STRIDE_PAGES = LONG ? 12 : 16
/** So often it has to go through before the disk is large enough. */
const ENOUGH = 3

const plain = defineJob({ name: 'plain', run: ({ n }: { n: number }) => n })

test(
  'a migration that finds the disk full at any point leaves whole steps and every job, and goes on when there is room',
  async ({ skip }) => {
    const disk = mountDisk(MIB)
    if (lacks('right to mount a file system', disk !== undefined) || disk === undefined) return skip()
    onTestFinished(() => disk.remove())
    const random = generator(seedOf(26))
    const first = await storeOfFirstVersion()
    const contents = await contentsByVersion(first)
    const last = contents.length
    const stoppedAt = new Set<number>()
    let fills = 0

    for (let [left, passed] = [0, 0]; passed < ENOUGH; ) {
      const path = join(disk.folder, `${fills}.db`)
      copyFileSync(first, path)
      disk.fill(left)
      fills++
      const refused = await migrated(path).then(
        async (mill) => void (await mill.close()),
        (error: unknown) => error as StoreError,
      )

      const found = readCopy(path, contentOf)
      expect(found, `${left} pages were left`).toEqual(contents[found.version - 1])
      if (refused === undefined) {
        expect(found.version).toBe(last)
        passed++
      } else {
        expect(refused, `${left} pages were left`).toMatchObject({
          code: 'STORE_FULL',
          kind: 'transient',
          fields: { path },
        })
        expect(refused.hint).toContain('space')
        stoppedAt.add(found.version)
      }

      disk.free()
      const mill = await migrated(path)
      expect(await mill.store.schemaVersion()).toMatchObject({ current: last, latest: last })
      await mill.work([plain], { drain: true }).done
      expect(await mill.count({ state: 'completed' }, 2 * JOBS)).toMatchObject({ count: JOBS })
      await mill.close()
      expect(readCopy(path, (db) => contentOf(db).version)).toBe(last)
      removeFile(path)
      left += left < CLOSE_PAGES ? 1 : 1 + Math.floor(random() * 2 * STRIDE_PAGES)
    }

    if (LONG) console.log(JSON.stringify({ fills, stoppedAt: [...stoppedAt] }))
    // Each step was refused, the last one included.
    expect([...stoppedAt].sort()).toEqual(contents.slice(0, -1).map((_, i) => i + 1))
    expect(fills).toBeGreaterThan(LONG ? 100 : 25)
    tally({ jobs: fills * JOBS, 'disks filled': fills })
  },
  LONG ? 1_800_000 : 120_000,
)

/** Opens a store as the deploy after this one does, which fills a new column of every job. */
function migrated(path: string): Promise<Millrace> {
  return Millrace.open({ store: laterStore(`sqlite:${path}`, 1) })
}

/** The file of a store of the first version, with jobs. */
async function storeOfFirstVersion(): Promise<string> {
  const path = tempStorePath()
  const store = laterStore(`sqlite:${path}`, 0)
  await store.open()
  const [step] = await store.plan()
  const db = new DatabaseSync(path)
  for (const statement of step?.statements ?? []) db.exec(statement)
  db.close()
  const codec = createCodec({})
  const jobs = await Promise.all(
    Array.from({ length: JOBS }, async (_, n) => {
      const id = newId()
      const payload = await codec.encode(
        { jobId: id, jobName: 'plain', field: 'payload' },
        { n, filling: 'x'.repeat(600) },
      )
      return { id, name: 'plain', version: 1, queue: 'default', priority: 5, payload }
    }),
  )
  await store.jobs.insert(jobs)
  await store.close()
  return path
}

/** What stands in a store: its version, its tables, and all that is known of its jobs. */
interface Content {
  readonly version: number
  readonly schema: readonly unknown[]
  readonly jobs: string
}

function contentOf(db: DatabaseSync): Content {
  const jobs = createHash('sha256')
  for (const row of db.prepare('SELECT * FROM millrace_job ORDER BY id').iterate()) {
    for (const value of Object.values(row)) jobs.update(value instanceof Uint8Array ? value : `${value},`)
  }
  return {
    version: Number(db.prepare('SELECT max(version) AS version FROM millrace_schema').get()?.version),
    schema: db.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY name').all(),
    jobs: jobs.digest('hex'),
  }
}

/** What stands there after each step, from the first on, where there is room. */
async function contentsByVersion(first: string): Promise<readonly Content[]> {
  const path = tempStorePath()
  copyFileSync(first, path)
  const steps = await laterStore(`sqlite:${path}`, 1).plan(1)
  const db = new DatabaseSync(path)
  const contents = [contentOf(db)]
  for (const { statements } of steps) {
    for (const statement of statements) db.exec(statement)
    contents.push(contentOf(db))
  }
  db.close()
  return contents
}
