/** What is known of the jobs of an `enqueueMany` that did not do all it was asked to. */
import { MillraceError, StoreError } from '../core/errors.ts'
import type { InsertResult, NewJob } from '../store/contract/index.ts'

/** A row that stands in the store. */
export type Accepted = Exclude<InsertResult, { status: 'refused' }>

/**
 * What the error of an `enqueueMany` carries in `fields`: a `BULK_PARTIAL`, or the store's own error when it failed at the
 * first batch, or at any inside a transaction of the caller's. Each input is in one of `done`, `refused` with `remaining`,
 * `unknown` and `remaining`.
 */
export interface BulkEnqueueFields {
  /** How many inputs were given. */
  readonly total: number
  /** What was committed, or stands in the caller's transaction: the place of its input, its id, and `created` or `existing`. */
  readonly done: readonly { readonly index: number; readonly id: string; readonly status: string }[]
  /** What the store refused row by row; nothing else was harmed by it. */
  readonly refused: readonly { readonly index: number; readonly id: string; readonly code: string }[]
  /** What may have been committed, or stand in the caller's transaction: no answer says so or not. Under another id it may be a second job. */
  readonly unknown: readonly { readonly index: number; readonly id: string }[]
  /** Places of the inputs that were certainly not written, refused ones included. */
  readonly remaining: readonly number[]
  /** The id of each input, in their order: with these as `ids` the same call again makes every job once. */
  readonly ids: readonly string[]
}

/**
 * Whether an insert that failed so may have been committed: all but where the database refused its rows or its statement. Of the
 * others many were not (a full disk, a server that takes no writes, a call that the closed store never sent). They are not told
 * apart, since what they say holds for the last thing that was sent: a part of the batch may have been committed before it, and a
 * commit that fails so is not known to be undone.
 */
export function mayBeWritten(error: unknown): boolean {
  return !(error instanceof StoreError && (error.kind === 'constraint' || error.kind === 'schema'))
}

/** The error of a call that ended with the failure of a batch of `count` rows, after those of `results`. */
export function stopped(
  results: readonly InsertResult[],
  rows: readonly NewJob[],
  count: number,
  cause: unknown,
): unknown {
  const unknown = mayBeWritten(cause) ? count : 0
  if (results.length > 0) return partial(fieldsOf(results, rows, unknown), cause, false)
  if (unknown === 0 || !(cause instanceof StoreError)) return cause
  return new StoreError(cause.kind, cause.code, cause.message, {
    fields: { ...cause.fields, ...fieldsOf(results, rows, unknown) },
    hint: [cause.hint, AGAIN].filter((hint) => hint !== undefined).join(' '),
    cause,
  })
}

/**
 * The same inside a caller's transaction. It claims nothing of that: the database may have undone it as a whole (MySQL after a
 * deadlock, SQLite on a full disk, every server when the connection ends), or a part of the batch that failed may stand in it.
 */
export function stoppedWithin(
  results: readonly InsertResult[],
  rows: readonly NewJob[],
  count: number,
  cause: unknown,
): unknown {
  if (results.length === 0 && !mayBeWritten(cause)) return cause
  const { done, unknown, ...told } = fieldsOf(results, rows, count)
  const perhaps = [...done, ...unknown].map(({ index, id }) => ({ index, id }))
  return toBeginAgain(cause, BEGIN_ALL_AGAIN, { ...told, done: [], unknown: perhaps })
}

/** The error of one job whose insert inside a caller's transaction failed: what is left of the transaction is not known. */
export function failedWithin(cause: unknown): unknown {
  return mayBeWritten(cause) ? toBeginAgain(cause, BEGIN_AGAIN) : cause
}

/** All rows, when none was refused. Else throws the refusal, or `BULK_PARTIAL` when some were accepted. */
export function allAccepted(
  results: readonly InsertResult[],
  rows: readonly NewJob[],
  isWithin = false,
): readonly Accepted[] {
  const accepted = results.filter(isAccepted)
  if (accepted.length === results.length) return accepted
  const refused = results.find((result) => result.status === 'refused')
  const cause = refused === undefined ? undefined : refusal(refused, rows[0]?.name ?? '')
  throw accepted.length === 0 ? cause : partial(fieldsOf(results, rows, 0), cause, isWithin)
}

/** The error of one refused row. */
export function refusal(result: Extract<InsertResult, { status: 'refused' }>, name: string): MillraceError {
  return new MillraceError(result.code, `the job ${name} was refused: ${result.message}`, {
    fields: { id: result.id, name },
  })
}

const AGAIN = 'Call it again with the same inputs and `ids: error.fields.ids`: what is there already stays one job.'
const AGAIN_WITHIN =
  'What `fields.done` names stands in your transaction; enqueue the inputs at `fields.remaining` again.'
const BEGIN_AGAIN = 'Roll your transaction back and begin it again: what is left of it is not known.'
const BEGIN_ALL_AGAIN = `${BEGIN_AGAIN} Make this call in it with the same inputs and \`ids: error.fields.ids\`.`

/** The store's own error with this hint besides. What another than the store threw says for itself what to do. */
function toBeginAgain(cause: unknown, hint: string, fields?: BulkEnqueueFields): unknown {
  if (!(cause instanceof StoreError)) return cause
  return new StoreError(cause.kind, cause.code, cause.message, {
    fields: { ...cause.fields, ...fields },
    hint: [hint, cause.hint].filter((each) => each !== undefined).join(' '),
    cause,
  })
}

function isAccepted(result: InsertResult): result is Accepted {
  return result.status !== 'refused'
}

/** `unknown`: of so many rows after those that were answered it is not known what became of them. */
function fieldsOf(results: readonly InsertResult[], rows: readonly NewJob[], unknown: number): BulkEnqueueFields {
  const done: BulkEnqueueFields['done'][number][] = []
  const refused: BulkEnqueueFields['refused'][number][] = []
  for (const [index, result] of results.entries()) {
    if (isAccepted(result)) done.push({ index, id: result.id, status: result.status })
    else refused.push({ index, id: result.id, code: result.code })
  }
  const sent = results.length + unknown
  return {
    total: rows.length,
    done,
    refused,
    unknown: rows.slice(results.length, sent).map(({ id }, i) => ({ index: results.length + i, id })),
    remaining: [...refused.map(({ index }) => index), ...rows.slice(sent).map((_, i) => sent + i)],
    ids: rows.map(({ id }) => id),
  }
}

function partial(fields: BulkEnqueueFields, cause: unknown, isWithin: boolean): MillraceError {
  const { total, done, unknown } = fields
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  const perhaps = unknown.length === 0 ? '' : `, of ${unknown.length} it is not known`
  return new MillraceError(
    'BULK_PARTIAL',
    `${done.length} of ${total} jobs were enqueued${perhaps}, then it stopped${why}`,
    {
      fields: { ...fields },
      hint: isWithin ? AGAIN_WITHIN : AGAIN,
      cause,
    },
  )
}
