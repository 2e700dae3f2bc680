/**
 * Output that cannot be written any more, since its reader has gone or its disk is full, ends no node and no worker: jobs are nobody's
 * output. Node tells it as an `error` of the stream, which would end the process if nobody heard it.
 */

let isOutlasted = false

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

/** Whether lost output ends nothing here. */
export function isOutputOutlasted(): boolean {
  return isOutlasted
}
