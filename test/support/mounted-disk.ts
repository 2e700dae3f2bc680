/** A small disk: a file system of its own in memory. Only who may mount can have one. */
import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CHUNK = Buffer.alloc(65_536, 1)
/** Room is given and taken by so many bytes. */
export const PAGE_BYTES = 4_096

/** A file system of a test's own. */
export interface MountedDisk {
  readonly folder: string
  /** Takes all the room but so many pages of 4 KiB, default 0, as long as `free` is not called. */
  fill(leftPages?: number): void
  /** Gives the room back that `fill` took. */
  free(): void
  /** Takes it away, with all that is on it. */
  remove(): void
}

/** Mounts one of so many MiB; undefined where this user may not, or this system cannot. */
export function mountDisk(mib: number): MountedDisk | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0700`, 'millrace', folder])
  if (status !== 0) {
    remove()
    return undefined
  }
  const balloon = join(folder, 'balloon')
  return {
    folder,
    fill: (leftPages = 0) => fillDisk(balloon, leftPages),
    free: () => rmSync(balloon, { force: true }),
    remove() {
      // Whoever is being ended may hold it for a moment longer.
      spawnSync('umount', ['--lazy', folder])
      remove()
    },
  }
}

/** Writes a file until nothing more fits on its disk, and gives so many pages of that back. */
export function fillDisk(path: string, leftPages = 0): void {
  const file = openSync(path, 'w')
  for (const bytes of [CHUNK, CHUNK.subarray(0, PAGE_BYTES)]) {
    try {
      for (;;) writeSync(file, bytes)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    }
  }
  if (leftPages > 0) ftruncateSync(file, Math.max(0, fstatSync(file).size - leftPages * PAGE_BYTES))
  closeSync(file)
}
