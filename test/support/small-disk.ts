/**
 * A disk that is full, by SQLite's own limit: a connection that is told to have no more pages answers SQLITE_FULL as it
 * does when the file system has no room. The limit belongs to the connection, so the store's own is caught as it opens.
 */
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished, vi } from 'vitest'

export interface SmallDisk {
  /** Nothing more than what is there, and so many pages of 4 KiB, fits from now on. */
  fill(morePages?: number): void
  /** There is room again. */
  free(): void
}

/** Runs `open` and gives what it gave, with the disk of the connection that it opened. */
export async function onSmallDisk<T>(open: () => Promise<T>): Promise<readonly [T, SmallDisk]> {
  const opened = new Set<DatabaseSync>()
  const exec = DatabaseSync.prototype.exec
  const spy = vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
    opened.add(this)
    return exec.call(this, sql)
  })
  onTestFinished(() => spy.mockRestore())
  const value = await open()
  spy.mockRestore()
  const limit = (pages: number) => {
    for (const db of opened) db.exec(`PRAGMA max_page_count = ${pages}`)
  }
  const disk: SmallDisk = {
    fill(morePages = 0) {
      const [db] = opened
      limit(Number(db?.prepare('PRAGMA page_count').get()?.page_count ?? 0) + morePages)
    },
    free: () => limit(1_073_741_823),
  }
  return [value, disk]
}
