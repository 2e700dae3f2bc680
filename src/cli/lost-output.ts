/**
 * What becomes of a command whose output cannot be written any more: its reader has gone (`millrace … | head`), the disk is full,
 * the terminal was closed. Whoever only tells something ends; a node and its workers outlast it.
 */
import { isOutputOutlasted } from '../base/lost-output.ts'

let isOver = false
let exitCode = 0

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

function end(error: NodeJS.ErrnoException): void {
  if (isOver || isOutputOutlasted()) return
  isOver = true
  if (error.code !== 'EPIPE') {
    console.error(`✕ the output cannot be written: ${error.message}`)
    process.exitCode = exitCode
  }
  if (process.listenerCount('SIGHUP') > 0) process.kill(process.pid, 'SIGHUP')
  else process.exit()
}

function ignore(): void {}
