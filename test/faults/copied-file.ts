/** What stands in a store's file, read from a copy of it and its log: what a process that ended now would leave. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect } from 'vitest'

/** What `read` makes of the copy, which has to be whole. The copy is on another disk, so that it can be opened when this one is full. */
export function readCopy<T>(path: string, read: (db: DatabaseSync) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-copy-'))
  const copy = join(folder, 'millrace.db')
  for (const end of ['', '-wal']) if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${copy}${end}`)
  const db = new DatabaseSync(copy)
  try {
    // Nobody needs it after a power cut.
    db.exec('PRAGMA synchronous = OFF')
    expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    expect(db.prepare('PRAGMA foreign_key_check').all()).toEqual([])
    return read(db)
  } finally {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Removes a store's file with all that stands beside it. */
export function removeFile(path: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
}
