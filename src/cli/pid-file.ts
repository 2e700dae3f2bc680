/**
 * A file with the process id of a running `millrace work`, for whatever sends it signals.
 *
 * A process that was killed leaves its file behind, and its number is another's some day, at the latest after the next start of the
 * machine. So a number alone makes no owner: the process that has it must have been started with this very pid file, which its
 * command line says. The file is made by nobody but us and never through a symbolic link, which in a folder that all may write
 * would let another user choose what is written over. Two that find the same file left behind in the same instant may both take
 * it: whoever starts them should not.
 */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { MillraceError } from '../core/errors.ts'

/**
 * Writes this process's id and returns the way to remove it. A file that was left behind is removed first; one of a process that
 * works with it is not: throws `CONFIG_INVALID`.
 */
export function writePidFile(path: string): () => void {
  try {
    for (let tries = 1; !create(path); tries++) {
      if (tries > MOST_TRIES) throw new Error('others write it again and again')
      removeOld(path)
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new MillraceError('CONFIG_INVALID', `the pid file cannot be written: ${reason}`, {
      fields: { path },
      hint: 'Name a file in a folder that may be written.',
      cause: error,
    })
  }
  return () => removeOwn(path)
}

/** Another that starts at the same time may be quicker. */
const MOST_TRIES = 3

/** False when there is something already. A symbolic link counts, wherever it leads: O_EXCL follows none (open(2)). */
function create(path: string): boolean {
  try {
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644)
    try {
      writeSync(file, `${process.pid}\n`)
    } finally {
      closeSync(file)
    }
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function removeOwn(path: string): void {
  try {
    if (pidIn(path) === process.pid) rmSync(path, { force: true })
  } catch {
    // Somebody has put something else in its place: that is theirs, and no reason to end otherwise than well.
  }
}

/** Removes a file that was left behind; throws when it was not. */
function removeOld(path: string): void {
  const pid = pidIn(path)
  const owner = pid === undefined ? 'nobody' : ownership(pid, path)
  if (owner === 'nobody') {
    rmSync(path, { force: true })
    return
  }
  throw owner === 'itself'
    ? new MillraceError('CONFIG_INVALID', `${path} belongs to process ${pid}, a millrace that is running`, {
        fields: { path, pid },
        hint: 'It is at work already: stop it first, or name another file.',
      })
    : new MillraceError('CONFIG_INVALID', `${path} names process ${pid}, which is running`, {
        fields: { path, pid },
        hint: `See what it is: ps -p ${pid}. Is it no millrace, remove the file; else name another.`,
      })
}

/** The number in a file; undefined when it holds none. Throws for what is no file. */
function pidIn(path: string): number | undefined {
  let file: number
  try {
    // O_NONBLOCK: a pipe that somebody has put there would hold us.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    if (codeOf(error) === 'ELOOP') throw new Error(`${path} is a symbolic link, which is not followed`)
    throw error
  }
  try {
    if (!fstatSync(file).isFile()) throw new Error(`${path} is no file`)
    const pid = Number(readFileSync(file, 'utf8').trim())
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } finally {
    closeSync(file)
  }
}

/** Whose the file with this number is: nobody's any more, of the process that has it, or that cannot be told. */
function ownership(pid: number, path: string): 'nobody' | 'itself' | 'unclear' {
  // Its own number is that of one before it: in a container each start may have the same.
  if (pid === process.pid || !isAlive(pid)) return 'nobody'
  const command = commandOf(pid)
  if (command === undefined) return 'unclear'
  return isOf(command, pid, path) ? 'itself' : 'nobody'
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is another user's.
    return codeOf(error) === 'EPERM'
  }
}

/** The command line of a process, word by word, or as one where it has a title or the system tells no more. */
function commandOf(pid: number): readonly string[] | undefined {
  try {
    if (existsSync('/proc/self/cmdline'))
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)
    return [
      execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 }).trim(),
    ]
  } catch {
    return undefined // It may not be seen, or there is no such program.
  }
}

function isOf(command: readonly string[], pid: number, path: string): boolean {
  const flag = command.findIndex((word) => word === '--pid-file' || word.startsWith('--pid-file='))
  const given = command[flag]?.split('=').slice(1).join('=') || command[flag + 1]
  if (flag < 0 || given === undefined) {
    const text = command.join(' ')
    return text.includes('millrace') && text.includes('--pid-file') && text.includes(basename(path))
  }
  const from = isAbsolute(given) ? '/' : folderOf(pid)
  if (from === undefined) return basename(given) === basename(path)
  return placeOf(resolve(from, given)) === placeOf(resolve(path))
}

/** Where a process is; undefined where the system does not tell, as of another user's. */
function folderOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/** A path without links on the way to it, where that can be told. */
function placeOf(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
