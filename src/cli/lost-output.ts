/**
 * What becomes of a command whose output cannot be written any more: its reader has gone (`millrace … | head`), the disk is full,
 * the terminal was closed. Whoever only tells something ends; a node and its workers outlast it.
 */
import { isOutputOutlasted } from '../base/lost-output.ts'

let isOver = false
let exitCode = 0
let stopWork: ((isFailure: boolean) => void) | undefined

/**
 * From now on a lost stdout ends the command: a worker without a supervisor stops as when its terminal is closed, the rest is over.
 * Where there is a reader and it cannot be written, as on a full disk, it ends with `failed`.
 */
export function endWithOutput(failed: number): void {
  exitCode = failed
  process.stdout.off('error', end).on('error', end)
  // Where this is lost there is nobody to tell.
  process.stderr.off('error', ignore).on('error', ignore)
}

/**
 * A lost stdout calls `stop` from now on, once, and ends nothing itself, until what is returned is called. `isFailure`: there is a
 * reader, and it cannot be written.
 */
export function onLostOutput(stop: (isFailure: boolean) => void): () => void {
  stopWork = stop
  return () => {
    stopWork = undefined
  }
}

function end(error: NodeJS.ErrnoException): void {
  if (isOver || isOutputOutlasted()) return
  isOver = true
  // Of a terminal that was closed the system says the latter.
  const isReaderGone = error.code === 'EPIPE' || (error.code === 'EIO' && process.stdout.isTTY)
  if (!isReaderGone) {
    console.error(`✕ the output cannot be written: ${error.message}`)
    process.exitCode = exitCode
  }
  if (stopWork === undefined) process.exit()
  stopWork(!isReaderGone)
}

function ignore(): void {}
