/** A small disk: a file system of its own in memory. Only who may mount can have one. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of a test's own. */
export interface MountedDisk {
  readonly folder: string
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
  return {
    folder,
    remove() {
      // Whoever is being ended may hold it for a moment longer.
      spawnSync('umount', ['--lazy', folder])
      remove()
    },
  }
}
