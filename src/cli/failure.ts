/** How a command ends when it cannot do what it was asked: what, code, why, how on stderr, and an exit code that says the kind. */
import { MillraceError, StoreError } from '../core/errors.ts'
import { maskUrl } from '../runtime/store-url.ts'
import { clean, jsonText } from './output.ts'

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
  restart: 75,
  interrupted: 130,
  terminated: 143,
} as const

/** One of the exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** What `millrace help exit-codes` prints. */
export const EXIT_CODES = `  0    done
  1    it failed, or some of it: a job failed, an id could not be changed
  2    wrong usage: an unknown command, option or value, or an input that
       its job refuses
  3    the store or the configuration cannot be used
  4    timed out, or nothing happened
  5    not found
  6    refused: it needs a confirmation, or would harm what is there
  7    a check failed (doctor, migrate status)
  75   a worker without a supervisor was asked to restart: whatever started it
       should start it again
  130  stopped by Ctrl-C; an orderly stop of \`work\` is 0
  143  a second SIGTERM stopped \`work\` at once`

/** Prints an error on stderr, what and why in one line and what to do in the next, and gives its exit code. */
export function tellFailure(error: unknown, json: boolean): ExitCode {
  const isOurs = error instanceof MillraceError
  const message = maskUrl(error instanceof Error ? error.message : String(error))
  const code = isOurs ? error.code : 'INTERNAL'
  const hint = isOurs
    ? error.hint
    : 'Set MILLRACE_DEBUG=1 to see where, and please report it if it is not of a file of yours.'
  if (json) console.error(jsonText({ error: { code, message, hint, fields: isOurs ? error.fields : {} } }))
  else {
    console.error(`✕ ${clean(message)}  ${code}`)
    if (hint !== undefined) console.error(`  ${clean(hint)}`)
    if (process.env.MILLRACE_DEBUG && error instanceof Error) console.error(maskUrl(error.stack ?? ''))
  }
  return exitCodeOf(error)
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof StoreError) return EXIT.store
  if (!(error instanceof MillraceError)) return EXIT.failed
  switch (error.code) {
    case 'JOB_NOT_FOUND':
    case 'QUEUE_NOT_FOUND':
    case 'WORKER_NOT_FOUND':
    case 'PARENT_NOT_FOUND':
      return EXIT.notFound
    case 'WAIT_TIMEOUT':
      return EXIT.timeout
    case 'CONFIRMATION_NEEDED':
    case 'COPY_REFUSED':
      return EXIT.refused
    case 'CONFIG_INVALID':
    // Unknown flags are USAGE: an unknown option stands in the configuration.
    case 'OPTION_UNKNOWN':
    case 'HANDLER_MISSING':
    case 'STORE_URL':
    case 'COPY_UNFINISHED':
    case 'KEY_INVALID':
    case 'KEY_UNKNOWN':
    case 'DEFINITION_INVALID':
      return EXIT.store
    case 'USAGE':
    case 'DURATION_INVALID':
    case 'SIZE_INVALID':
    case 'NAME_INVALID':
    case 'FILTER_INVALID':
    case 'CURSOR_INVALID':
    case 'PAYLOAD_INVALID':
    case 'PAYLOAD_NOT_JSON':
    case 'PAYLOAD_TOO_LARGE':
      return EXIT.usage
    default:
      return EXIT.failed
  }
}
