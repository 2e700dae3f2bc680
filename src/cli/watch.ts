/** `--watch` of what is listed or shown: the same again and again until Ctrl-C, in its own place on a terminal. */
import { setTimeout as pause } from 'node:timers/promises'
import { formatDuration, parseDuration } from '../core/duration.ts'
import type { Millrace } from '../runtime/millrace.ts'
import type { Context } from './context.ts'
import { EXIT, type ExitCode } from './failure.ts'
import { say } from './output.ts'
import { durationOf } from './values.ts'

/** The flag of what may be watched. */
export const WATCH = ['--watch [interval]', 'show it again every 2 seconds, or that often, until Ctrl-C'] as const

const EVERY_MS = 2_000
/** The longest that a timer of Node waits, 24 days. */
const LONGEST_MS = 2 ** 31 - 1
/** Puts the cursor into the first corner and erases what stands there. */
const CLEAR = '\u001b[H\u001b[2J'

/** What is looked at, and how it is printed. */
export interface Shown<T> {
  readonly look: (mill: Millrace) => Promise<T>
  readonly print: (seen: T) => Promise<void> | void
}

/**
 * Looks and prints once, or with a `--watch` until Ctrl-C, which ends it with 130. A terminal is erased before each print; elsewhere,
 * and with `--json`, one print follows the other. What a look throws ends it.
 */
export async function showOrWatch<T>(context: Context, watch: unknown, { look, print }: Shown<T>): Promise<ExitCode> {
  const everyMs = watch === undefined ? undefined : intervalOf(watch)
  return await context.withMill(async (mill) => {
    if (everyMs === undefined) {
      await print(await look(mill))
      return EXIT.ok
    }
    const stop = new AbortController()
    const onInterrupt = () => stop.abort()
    // A second one ends the process at once: a store may not answer.
    process.once('SIGINT', onInterrupt)
    try {
      while (!stop.signal.aborted) {
        const seen = await look(mill)
        if (context.output.isTerminal) {
          process.stdout.write(CLEAR)
          say(
            context.output,
            `Every ${formatDuration(everyMs)}, ${new Date().toTimeString().slice(0, 8)}. Ctrl-C ends it.`,
          )
        }
        await print(seen)
        // Rejects when it is aborted, and then the loop ends.
        await pause(everyMs, undefined, { signal: stop.signal }).catch(() => undefined)
      }
      return EXIT.interrupted
    } finally {
      process.removeListener('SIGINT', onInterrupt)
    }
  })
}

/** Seconds as a bare number, as other programs take them, or a duration such as `500ms`. */
function intervalOf(watch: unknown): number {
  if (watch === true) return EVERY_MS
  const text = String(watch).trim()
  const typed = durationOf(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text, '--watch', '5')
  return Math.min(parseDuration(typed ?? EVERY_MS), LONGEST_MS)
}
