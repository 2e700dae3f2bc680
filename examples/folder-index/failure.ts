/** How a run ends that cannot go on: what and why in one line, what to do in the next, and an exit code that says the kind. */
import { ConfigError, MillraceError, StoreError } from 'millrace'

/** As `millrace help exit-codes` has them. */
export const EXIT = { failed: 1, usage: 2, store: 3, refused: 6, interrupted: 130 } as const

/** It was not begun, since it would harm what is there. */
export class Refused extends Error {
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.name = 'Refused'
    this.hint = hint
  }
}

/** Prints an error on stderr and gives its exit code. The errors of Millrace hold no password. */
export function tellFailure(error: unknown): number {
  const isKnown = error instanceof MillraceError || error instanceof Refused
  const message = error instanceof Error ? error.message || error.name : String(error)
  const hint = isKnown ? error.hint : 'Set MILLRACE_DEBUG=1 to see where.'
  console.error(`✕ ${message}${error instanceof MillraceError ? `  ${error.code}` : ''}`)
  if (hint !== undefined) console.error(`  ${hint}`)
  if (process.env.MILLRACE_DEBUG && error instanceof Error) console.error(error.stack)
  if (error instanceof Refused) return EXIT.refused
  return error instanceof StoreError || error instanceof ConfigError ? EXIT.store : EXIT.failed
}
