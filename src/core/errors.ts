/** Every error that Millrace throws: a stable code, a sentence with the values in it, and what to do about it. */

/** A stable word for what happened. Codes are part of the public API: they are added, never renamed. */
export type ErrorCode =
  | 'CONFIG_INVALID'
  | 'OPTION_UNKNOWN'
  | 'DURATION_INVALID'
  | 'SIZE_INVALID'
  | 'NAME_INVALID'
  | 'FILTER_INVALID'
  | 'CURSOR_INVALID'
  | 'DEFINITION_INVALID'
  | 'HANDLER_MISSING'
  | 'PAYLOAD_INVALID'
  | 'PAYLOAD_NOT_JSON'
  | 'PAYLOAD_TOO_LARGE'
  | 'PAYLOAD_UNREADABLE'
  | 'RESULT_INVALID'
  | 'DISCARDED'
  | 'RETRY_AFTER'
  | 'SNOOZED'
  | 'LEASE_LOST'
  | 'KEY_UNKNOWN'
  | 'KEY_INVALID'
  | 'JOB_NOT_FOUND'
  | 'JOB_FAILED'
  | 'JOB_CANCELLED'
  | 'PARENT_NOT_FOUND'
  | 'QUEUE_NOT_FOUND'
  | 'WORKER_NOT_FOUND'
  | 'TIMEOUT'
  | 'ISOLATE_EXITED'
  | 'ISOLATE_KILLED'
  | 'ISOLATE_OUT_OF_MEMORY'
  | 'ISOLATE_UNCAUGHT'
  | 'ISOLATE_ENTRY'
  | 'ISOLATE_START'
  | 'ISOLATE_REFUSED'
  | 'WAIT_TIMEOUT'
  | 'STORE_URL'
  | 'STORE_UNREACHABLE'
  | 'STORE_BUSY'
  | 'STORE_READ_ONLY'
  | 'STORE_FULL'
  | 'STORE_CORRUPT'
  | 'STORE_NEWER'
  | 'STORE_OLDER'
  | 'STORE_MOVED'
  | 'STORE_CONSTRAINT'
  | 'STORE_CLOSED'
  | 'STORE_UNSAFE'
  | 'CLOSED'
  | 'PACKAGE_CHANGED'
  | 'BULK_PARTIAL'
  | 'COPY_REFUSED'
  | 'COPY_DIFFERS'
  | 'COPY_UNFINISHED'
  | 'CONFIRMATION_NEEDED'
  | 'USAGE'
  | 'INTERNAL'

/** What an error carries beside its sentence. */
export interface ErrorDetail {
  /** The values the sentence speaks of, for programs. Never a payload, a key or a password. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** What the reader can do, as one imperative sentence. */
  readonly hint?: string
  readonly cause?: unknown
}

/** The one base class: `catch (e) { if (e instanceof MillraceError && e.code === 'STORE_BUSY') … }`. */
export class MillraceError extends Error {
  readonly code: ErrorCode
  readonly fields: Readonly<Record<string, unknown>>
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = new.target.name
    this.code = code
    this.fields = detail.fields ?? {}
    this.hint = detail.hint
  }
}

/** Law 10 of the store contract: what a caller may do about a failed store call. */
export type StoreErrorKind = 'transient' | 'constraint' | 'schema' | 'closed'

/** A store call failed. `transient`: the same call may succeed later; the other kinds need a hand. */
export class StoreError extends MillraceError {
  readonly kind: StoreErrorKind

  constructor(kind: StoreErrorKind, code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(code, message, detail)
    this.kind = kind
  }
}

/** A payload, result or other sealed field could not be written or read. */
export class PayloadError extends MillraceError {}

/** A configuration value, option or argument is not usable; nothing was changed. */
export class ConfigError extends MillraceError {}
