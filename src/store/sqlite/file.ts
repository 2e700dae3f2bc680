/** The database's file before SQLite opens it. */
import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreError } from '../../core/errors.ts'

/** Makes the file readable by its owner only before SQLite opens it; the WAL files take the same mode. */
export function prepareFile(path: string): void {
  const folder = dirname(path)
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found === undefined) {
    throw new StoreError(
      'transient',
      'STORE_UNREACHABLE',
      `${path} cannot be opened: the folder ${folder} does not exist`,
      {
        fields: { path },
        hint: `Make it: mkdir -p ${folder}`,
      },
    )
  }
  const worldWritable = (found.mode & 0o002) !== 0
  const sticky = (found.mode & 0o1000) !== 0
  if (process.platform !== 'win32' && worldWritable && !sticky) {
    throw new StoreError('schema', 'STORE_UNSAFE', `${path} is in a folder that every user may write to`, {
      fields: { path },
      hint: `Take the permission away: chmod o-w ${folder}`,
    })
  }
  if (existsSync(path)) return
  try {
    closeSync(openSync(path, 'wx', 0o600))
    chmodSync(path, 0o600)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') return
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      throw new StoreError('transient', 'STORE_READ_ONLY', `${path} cannot be made: its folder is read-only`, {
        fields: { path },
        hint: 'Give this user write permission on the folder.',
        cause: error,
      })
    }
    throw new StoreError('transient', 'STORE_UNREACHABLE', `${path} cannot be made: ${String(code ?? error)}`, {
      fields: { path },
      hint: 'Check that this user may write to the folder.',
      cause: error,
    })
  }
}
