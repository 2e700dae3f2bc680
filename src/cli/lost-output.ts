/**
 * What becomes of a command whose output cannot be written any more: its reader has gone (`millrace … | head`), the disk is full,
 * the terminal was closed. Whoever only tells something ends; a node and its workers go on, since jobs are nobody's output, and say
 * so once where it can still be read. The worker processes of a node load this: it imports nothing.
 */

let isOver = false
let isOutlasted = false
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

/** From now on lost output ends nothing. `who` goes on, as in "The node works on without it"; `format` is that of the log on stdout. */
export function outlastOutput(who: string, format: 'pretty' | 'json'): void {
  isOutlasted = true
  const lost = new Set<string>()
  for (const [name, other] of [
    ['stdout', 'stderr'],
    ['stderr', 'stdout'],
  ] as const) {
    process[name].on('error', (error: NodeJS.ErrnoException) => {
      if (lost.has(name)) return
      lost.add(name)
      const why = error.code === 'EPIPE' ? 'its reader has gone' : error.message
      // A log of JSON has no lines for people.
      if (name === 'stdout' || format === 'pretty')
        process[other].write(`${name} is lost: ${why}. ${who} works on without it.\n`)
    })
  }
}

function end(error: NodeJS.ErrnoException): void {
  if (isOver || isOutlasted) return
  isOver = true
  if (error.code !== 'EPIPE') {
    console.error(`✕ the output cannot be written: ${error.message}`)
    process.exitCode = exitCode
  }
  if (process.listenerCount('SIGHUP') > 0) process.kill(process.pid, 'SIGHUP')
  else process.exit()
}

function ignore(): void {}
