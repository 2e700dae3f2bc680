/** What may be wrong with the file: it is none of ours, damaged, newer, or it goes away while it is open. */
import { copyFileSync, mkdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { defineJob, Millrace, StoreError } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tally } from '../support/tally.ts'
import { tempDir, tempStorePath } from '../support/temp-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

/** The error of opening the file, which must not have changed it. */
async function refusal(path: string): Promise<StoreError> {
  const mill = Millrace.open({ store: `sqlite:${path}?busy=200ms` })
  const error = await mill.then(
    (opened) => opened.close().then(() => new Error('opened')),
    (each: unknown) => each,
  )
  expect(error, String(error)).toBeInstanceOf(StoreError)
  const ours = error as StoreError
  expect(ours.message).toContain(path)
  expect(ours.hint).toMatch(/\w/)
  tally({ 'refused files': 1 })
  return ours
}

describe('what cannot be opened', () => {
  test.each([
    ['text', 'this is no database; '.repeat(500)],
    ['a few bytes', 'gar'],
    ['a picture', Buffer.from([0x89, 0x50, 0x4e, 0x47, ...Array.from({ length: 5000 }, (_, i) => (i * 7) % 256)])],
  ])('a file that is no database (%s) is STORE_CORRUPT and is left as it is', async (_, content) => {
    const path = tempStorePath()
    writeFileSync(path, content)

    expect(await refusal(path)).toMatchObject({ code: 'STORE_CORRUPT', kind: 'schema', fields: { path } })
    expect(statSync(path).size).toBe(Buffer.byteLength(content))
  })

  test('a folder is STORE_UNREACHABLE', async () => {
    const path = join(tempDir(), 'a-folder')
    mkdirSync(path)

    expect(await refusal(path)).toMatchObject({ code: 'STORE_UNREACHABLE' })
  })

  test('a path whose folder is not there is STORE_UNREACHABLE, and the folder is named', async () => {
    const path = join(tempDir(), 'no', 'such.db')

    const error = await refusal(path)

    expect(error.code).toBe('STORE_UNREACHABLE')
    expect(error.hint).toContain('mkdir -p')
  })

  test('a file of a newer Millrace is STORE_NEWER with both versions, and is left as it is', async () => {
    const path = tempStorePath()
    await (await Millrace.open({ store: `sqlite:${path}` })).close()
    const db = new DatabaseSync(path)
    db.exec('INSERT INTO millrace_schema (version, applied_at, oldest) VALUES (999, 0, 999)')
    db.close()

    const error = await refusal(path)

    expect(error).toMatchObject({ code: 'STORE_NEWER', kind: 'schema', fields: { current: 999 } })
    expect(error.hint).toContain('Update')
  })

  test('a file of an older schema is STORE_OLDER when it must not be migrated', async () => {
    const error = await Millrace.open({ store: `sqlite:${tempStorePath()}`, migrate: false }).catch((e: unknown) => e)

    expect(error).toMatchObject({ code: 'STORE_OLDER', fields: { current: 0 } })
    expect((error as StoreError).hint).toContain('millrace migrate')
  })

  test('a file cut in half is STORE_CORRUPT when it is opened or when it is read', async () => {
    const path = tempStorePath()
    const mill = await Millrace.open({ store: `sqlite:${path}` })
    await mill.enqueueMany(
      plain,
      Array.from({ length: 3000 }, (_, i) => ({ i, filling: 'x'.repeat(50) })),
    )
    await mill.close()
    truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096)

    const error = await (async () => {
      const damaged = await Millrace.open({ store: `sqlite:${path}` })
      try {
        for (let i = 0; i < 50; i++) await damaged.list({ limit: 200 })
        await damaged.work([plain], { drain: true }).done
      } finally {
        await damaged.close()
      }
    })().catch((each: unknown) => each)

    expect(error).toMatchObject({ code: 'STORE_CORRUPT', kind: 'schema' })
  })
})

function replace(path: string): void {
  copyFileSync(path, `${path}.new`)
  renameSync(`${path}.new`, path)
}

describe.each([
  ['deleted', (path: string) => rmSync(path), 'was deleted'],
  ['replaced', replace, 'was replaced'],
])('a file that is %s while it is open', (_, harm, said) => {
  test('takes no more jobs, which nobody would ever read: STORE_MOVED, and the worker ends with it', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}` })
    const worker = mill.work([plain], { poll: '10ms' })
    const kept = await mill.enqueue(plain, 'kept')
    await kept.result({ timeout: '10s' })

    harm(path)

    for (const call of [() => mill.enqueue(plain, 1), () => mill.list(), () => mill.cancel(kept.id)]) {
      const error = await call().catch((each: unknown) => each)
      expect(error).toMatchObject({ code: 'STORE_MOVED', kind: 'closed', fields: { path } })
      expect(String(error)).toContain(said)
      expect((error as StoreError).hint).toContain('restart')
    }
    await expect(worker.done).rejects.toMatchObject({ code: 'STORE_MOVED' })
    tally({ jobs: 1, 'files gone': 1 })
    await mill.close()
  })
})
