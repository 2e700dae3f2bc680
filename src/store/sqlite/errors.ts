/** The one place that reads SQLite's result codes (https://sqlite.org/rescode.html). */
import { StoreError } from '../../core/errors.ts'

const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const CONSTRAINT = 19
const NOTADB = 26
/** The index of the log beside the file could not be given its room. */
const IOERR_SHMSIZE = IOERR | (19 << 8)

/** The primary SQLite result code of an error, or 0 when it is not SQLite's. A full disk has one, wherever it was met. */
function resultCode(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return 0
  if (error.errcode === IOERR_SHMSIZE) return FULL
  return typeof error.errcode === 'number' ? error.errcode & 0xff : 0
}

/** Another connection holds the lock: the same call may succeed in a moment. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code === BUSY || code === LOCKED
}

/** One row was refused by a constraint; the transaction around it still stands. */
export function isConstraint(error: unknown): boolean {
  return resultCode(error) === CONSTRAINT
}

/** A column holds an integer that JavaScript has no exact number for: node:sqlite refuses to read the row. */
export function isOutOfRange(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE'
}

/** Says what an error of SQLite's, or of the file system, means for a caller. Any other comes back as it is. */
export function translateError(error: unknown, path: string): unknown {
  if (error instanceof StoreError) return error
  const fields = { path }
  const detail = (hint: string) => ({ fields, hint, cause: error })
  switch (resultCode(error)) {
    case 0:
      return isFileError(error)
        ? new StoreError(
            'transient',
            'STORE_UNREACHABLE',
            `${path} cannot be looked at: ${error.code}`,
            detail('Check that the folder exists and that this user has permission to enter it.'),
          )
        : error
    case BUSY:
    case LOCKED:
      return new StoreError(
        'transient',
        'STORE_BUSY',
        `${path} is locked by another program`,
        detail('Close what holds a transaction open on this file, or wait.'),
      )
    case READONLY:
      return new StoreError(
        'transient',
        'STORE_READ_ONLY',
        `${path} cannot be written: the file or its folder is read-only`,
        detail('Give this user write permission on the file and its folder.'),
      )
    case FULL:
      return new StoreError(
        'transient',
        'STORE_FULL',
        `${path} cannot grow: the disk is full`,
        detail('Free some space; workers and producers go on by themselves. Nothing acknowledged is lost.'),
      )
    case IOERR:
      return new StoreError(
        'transient',
        'STORE_UNREACHABLE',
        `${path} could not be read or written: ${message(error)}`,
        detail('Check the disk and the file system.'),
      )
    case CANTOPEN:
      return new StoreError(
        'transient',
        'STORE_UNREACHABLE',
        `${path} cannot be opened`,
        detail('Check that the folder exists and that this user may write there.'),
      )
    case CORRUPT:
      return new StoreError(
        'schema',
        'STORE_CORRUPT',
        `${path} is damaged: ${message(error)}`,
        detail('Restore the file from a backup, or save what `sqlite3 FILE .recover` can read.'),
      )
    case NOTADB:
      return new StoreError(
        'schema',
        'STORE_CORRUPT',
        `${path} is not an SQLite database`,
        detail('Name another file with --store sqlite:PATH.'),
      )
    case CONSTRAINT:
      return new StoreError('constraint', 'STORE_CONSTRAINT', `${path} refused a row: ${message(error)}`, {
        fields,
        cause: error,
      })
    default:
      return new StoreError('schema', 'STORE_CONSTRAINT', `${path}: ${message(error)}`, { fields, cause: error })
  }
}

/** The file, or a folder on the way to it, refused a look: it may be there again in a moment. */
function isFileError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
