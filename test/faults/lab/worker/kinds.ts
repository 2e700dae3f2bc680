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

/** What a handler does in an isolate that it should not; `behaves`: nothing. Threads cannot end what they have started. */
export type Runaway =
  | 'behaves'
  | 'never ends'
  | 'is deaf'
  | 'blocks'
  | 'leaks memory'
  | 'leaves handles'
  | 'leaves handles and never ends'
  | 'leaves grandchildren'
  | 'leaves grandchildren and never ends'

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
  /** In a thread: waits until somebody makes the file `wake` in the run's folder, if one is named, and does as told. */
  readonly 'in-thread': { readonly how: Runaway; readonly wake?: string }
  /** The same in a process. */
  readonly 'in-process': Inputs['in-thread']
}

/** The name of a kind of job. */
export type Kind = keyof Inputs

/** Is set in the environment of what runaways start, so that it can be found. */
export const GRANDCHILD = 'MILLRACE_LAB_GRANDCHILD'

/** How many attempts each kind may make, where that is more than one. */
export const ATTEMPTS: Readonly<Partial<Record<Kind, number>>> = { work: 5, canary: 5, zombie: 3, committed: 5 }

/** How long `endless` jobs may take. */
const TIMEOUT_MS = 300
/** What an isolate may hold: little more than it needs. */
const MEMORY = '48mib'

const ISOLATES: Readonly<Partial<Record<Kind, 'thread' | 'process'>>> = {
  'in-thread': 'thread',
  'in-process': 'process',
}

/** What the definition of a kind says, for producers and workers alike. */
export function optionsOf(kind: Kind) {
  const attempts = ATTEMPTS[kind]
  const isolate = ISOLATES[kind]
  return {
    name: kind,
    // A crash in an isolate is no attempt, and is followed by another.
    retry:
      attempts === undefined && isolate === undefined
        ? (false as const)
        : { attempts: attempts ?? 1, delay: 10, maxDelay: 50 },
    ...(isolate !== undefined && { isolate: { in: isolate, memory: MEMORY } }),
    ...(kind === 'canary' && { queue: 'canary' }),
    ...(kind === 'endless' && { timeout: TIMEOUT_MS }),
  }
}
