/** A full disk: what was acknowledged stays, what was not is refused with a typed error, and everything goes on by itself. */
import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { type BulkEnqueueFields, defineJob, MillraceError, StoreError } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { onSmallDisk } from '../support/small-disk.ts'
import { tally } from '../support/tally.ts'
import { tempStorePath } from '../support/temp-store.ts'

const plain = defineJob({ name: 'plain', run: (input: { n: number; filling: string }) => ({ n: input.n }) })
// Does not compress, so that the disk is full when the arithmetic says so.
const inputs = (count: number, bytes = 1500) =>
  Array.from({ length: count }, (_, n) => ({ n, filling: randomBytes(bytes).toString('base64').slice(0, bytes) }))

describe('a full disk', () => {
  test('refuses the next job with STORE_FULL and keeps every one that was acknowledged', async () => {
    const path = tempStorePath()
    const [mill, disk] = await onSmallDisk(() => openMill({ store: `sqlite:${path}` }))
    disk.fill(20)
    const acknowledged: string[] = []
    let refused: unknown
    for (const input of inputs(200)) {
      try {
        acknowledged.push((await mill.enqueue(plain, input)).id)
      } catch (error) {
        refused = error
        break
      }
    }

    expect(refused).toBeInstanceOf(StoreError)
    expect(refused).toMatchObject({ code: 'STORE_FULL', kind: 'transient', fields: { path } })
    expect((refused as StoreError).hint).toContain('space')
    expect(acknowledged.length).toBeGreaterThan(5)
    const { jobs } = await mill.list({ limit: 200, order: 'oldest' })
    expect(jobs.map(({ id }) => id)).toEqual(acknowledged)

    disk.free()
    await mill.work([plain], { drain: true }).done
    expect(await mill.count({ state: 'completed' })).toMatchObject({ count: acknowledged.length })
    expect(integrity(path)).toBe('ok')
    tally({ jobs: acknowledged.length, 'disks filled': 1 })
  })

  test('in the middle of 10,000: BULK_PARTIAL names what is committed and what is not, and it is true', async () => {
    const [mill, disk] = await onSmallDisk(() => openMill())
    disk.fill(800)
    const all = inputs(10_000, 600)

    const error = (await mill.enqueueMany(plain, all).catch((each: unknown) => each)) as MillraceError

    expect(error).toBeInstanceOf(MillraceError)
    expect(error).toMatchObject({ code: 'BULK_PARTIAL', cause: { code: 'STORE_FULL' } })
    // The shape that the docstring of `enqueueMany` promises.
    const fields = error.fields as unknown as BulkEnqueueFields
    expect(fields.total).toBe(10_000)
    expect(fields.done.length).toBeGreaterThanOrEqual(1000)
    expect(fields.done.length).toBeLessThan(10_000)
    expect(fields.done.map(({ index }) => index)).toEqual(fields.done.map((_, i) => i))
    const perhaps = [...fields.done, ...fields.unknown].map(({ index }) => index)
    expect([...perhaps, ...fields.remaining]).toEqual(all.map((_, i) => i))
    expect(await mill.count({}, 20_000)).toMatchObject({ count: fields.done.length })

    disk.free()
    await mill.enqueueMany(plain, all, { ids: fields.ids })
    const numbers = new Set<unknown>()
    for (let cursor: string | undefined; ; ) {
      const page = await mill.list({ limit: 200, order: 'oldest', ...(cursor !== undefined && { cursor }) })
      for (const job of page.jobs) numbers.add((job.input as { n: number }).n)
      cursor = page.next
      if (cursor === undefined) break
    }
    expect(numbers.size).toBe(10_000)
    expect(await mill.count({}, 20_000)).toMatchObject({ count: 10_000 })
    tally({ jobs: 10_000, 'disks filled': 1 })
  }, 60_000)

  test('under a worker: the handler’s outcome waits, and no job is lost or run again when there is room', async () => {
    const [mill, disk] = await onSmallDisk(() => openMill())
    const runs = new Map<number, number>()
    const failures: unknown[] = []
    const writes = defineJob({
      name: 'writes',
      run: (n: number) => {
        runs.set(n, (runs.get(n) ?? 0) + 1)
        if (n === 10) disk.fill()
        return randomBytes(3000).toString('base64')
      },
    })
    await mill.enqueueMany(
      writes,
      Array.from({ length: 60 }, (_, n) => n),
    )
    mill.on('store.failed', ({ error }) => failures.push(error))
    const worker = mill.work([writes], { concurrency: 4, poll: '10ms' })

    await expect.poll(() => failures.length, { timeout: 20_000 }).toBeGreaterThan(0)
    expect(failures[0]).toMatchObject({ code: 'STORE_FULL' })
    disk.free()
    await expect
      .poll(() => mill.count({ state: 'completed' }), { timeout: 20_000 })
      .toEqual({ count: 60, capped: false })
    await worker.stop()

    expect([...runs.values()].every((count) => count === 1)).toBe(true)
    tally({ jobs: 60, 'disks filled': 1 })
  }, 60_000)
})

function integrity(path: string): unknown {
  const db = new DatabaseSync(path)
  try {
    return db.prepare('PRAGMA integrity_check').get()?.integrity_check
  } finally {
    db.close()
  }
}
