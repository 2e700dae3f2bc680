/** How a command ends when it cannot do what it was asked: what, code, why, how on stderr, and an exit code that says the kind. */
import { MillraceError, StoreError } from '../core/errors.ts'
import { maskUrl } from '../runtime/store-url.ts'
import { clean } from './output.ts'

/** The exit codes, as `millrace help exit-codes` prints them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  store: 3,
  timeout: 4,
  notFound: 5,
  refused: 6,
  check: 7,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export const EXIT_CODES = `  0    done
  1    the operation failed, or some of it: a job failed, an id could not be changed
  2    wrong usage: an unknown command, option or value
  3    the store or the configuration cannot be used
  4    timed out, or nothing happened
  5    not found
  6    refused: it needs a confirmation
  7    a check failed (doctor)
  130  stopped by Ctrl-C; an orderly stop of \`work\` is 0
  143  a second SIGTERM stopped \`work\` at once`

/** Prints an error and gives the exit code that belongs to it. */
export function tellFailure(error: unknown, json: boolean): ExitCode {
  const isOurs = error instanceof MillraceError
  const message = maskUrl(clean(error instanceof Error ? error.message : String(error)))
  const code = isOurs ? error.code : 'INTERNAL'
  const hint = isOurs ? error.hint : undefined
  if (json) console.error(JSON.stringify({ error: { code, message, ...(hint !== undefined && { hint }) } }))
  else {
    console.error(`✕ ${message}  ${code}`)
    if (hint !== undefined) console.error(`  ${clean(hint)}`)
    if (!isOurs || process.env.MILLRACE_DEBUG) console.error(error instanceof Error ? error.stack : '')
  }
  return exitCodeOf(error)
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof StoreError) return EXIT.store
  if (!(error instanceof MillraceError)) return EXIT.failed
  switch (error.code) {
    case 'JOB_NOT_FOUND':
    case 'QUEUE_NOT_FOUND':
      return EXIT.notFound
    case 'WAIT_TIMEOUT':
      return EXIT.timeout
    case 'CONFIRMATION_NEEDED':
      return EXIT.refused
    case 'CONFIG_INVALID':
    case 'HANDLER_MISSING':
    case 'STORE_URL':
    case 'KEY_INVALID':
    case 'DEFINITION_INVALID':
      return EXIT.store
    case 'USAGE':
    case 'OPTION_UNKNOWN':
    case 'DURATION_INVALID':
    case 'SIZE_INVALID':
    case 'NAME_INVALID':
      return EXIT.usage
    default:
      return EXIT.failed
  }
}
