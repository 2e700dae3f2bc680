/** The kinds of jobs that runs are made of, by name, with what each is told. */

/** How a handler ends its process, or tries to. */
export type SuddenEnd =
  | 'exit 0'
  | 'exit 1'
  | 'abort'
  | 'segfault'
  | 'kill'
  | 'throw in a timer'
  | 'unhandled rejection'
  | 'unhandled rejection of undefined'

/** How a handler fails in a way that is hard to write down. */
export type OddFailure =
  | 'stack overflow'
  | 'rejection of undefined'
  | 'an error whose getters throw'
  | 'a message of 10 MB'
  | 'a circular error'
  | 'a frozen error'

/** What each kind of job is told. */
export interface Inputs {
  /** Works for `ms`, heeding its signal. */
  readonly work: { readonly ms: number; readonly filling?: string }
  /** The same, in the queue that is watched while a neighbour misbehaves. */
  readonly canary: { readonly ms: number }
  /** Writes a row and completes itself in one transaction of its own. */
  readonly committed: { readonly ms: number }
  /** Deaf to its signal until somebody makes the file `wake` in the run's folder; then it tries to speak, and ends as told. */
  readonly zombie: { readonly wake: string; readonly ends: 'returns' | 'throws' | 'completes' }
  /** Ends its process. */
  readonly poison: { readonly how: SuddenEnd }
  /** Fails. */
  readonly odd: { readonly how: OddFailure }
  /** Holds the event loop for `ms` in its first run. */
  readonly block: { readonly ms: number }
  /** Never ends: without a look at its signal when `deaf`. */
  readonly endless: { readonly deaf: boolean }
}

/** The name of a kind of job. */
export type Kind = keyof Inputs

/** How many attempts each kind may make, where that is more than one. */
export const ATTEMPTS: Readonly<Partial<Record<Kind, number>>> = { work: 5, canary: 5, zombie: 3, committed: 5 }

/** How long `endless` jobs may take. */
const TIMEOUT_MS = 300

/** What the definition of a kind says, for producers and workers alike. */
export function optionsOf(kind: Kind) {
  const attempts = ATTEMPTS[kind]
  return {
    name: kind,
    retry: attempts === undefined ? (false as const) : { attempts, delay: 10, maxDelay: 50 },
    ...(kind === 'canary' && { queue: 'canary' }),
    ...(kind === 'endless' && { timeout: TIMEOUT_MS }),
  }
}
