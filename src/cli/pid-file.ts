/** A file with the process id of a running `millrace work`, for whatever sends it signals. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { MillraceError } from '../core/errors.ts'

/**
 * Writes this process's id and returns the way to remove it. A file of a process that has gone is written over; one of a process
 * that lives is not: throws `CONFIG_INVALID`.
 */
export function writePidFile(path: string): () => void {
  const owner = ownerOf(path)
  // Its own id is that of one before it: in a container each start has the same.
  if (owner !== undefined && owner !== process.pid) {
    throw new MillraceError('CONFIG_INVALID', `${path} belongs to process ${owner}, which is running`, {
      fields: { path, pid: owner },
      hint: `Stop it (kill ${owner}), or name another file.`,
    })
  }
  try {
    writeFileSync(path, `${process.pid}\n`)
  } catch (error) {
    throw new MillraceError(
      'CONFIG_INVALID',
      `the pid file cannot be written: ${error instanceof Error ? error.message : error}`,
      {
        fields: { path },
        hint: 'Name a file in a folder that may be written.',
        cause: error,
      },
    )
  }
  return () => {
    if (ownerOf(path) === process.pid) rmSync(path, { force: true })
  }
}

/** Whose file it is; undefined when nobody's. */
function ownerOf(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim())
    if (!Number.isInteger(pid) || pid <= 0) return undefined
    process.kill(pid, 0)
    return pid
  } catch (error) {
    // EPERM: it lives, and is another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
      ? Number(readFileSync(path, 'utf8'))
      : undefined
  }
}
