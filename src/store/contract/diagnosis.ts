/** What can be wrong with a store while it works: facts that make it slow, or less safe than it looks. */

/** A stable word for what was found; docs/doctor.md has a paragraph for each. */
export type DiagnosisCode =
  | 'OLD_TRANSACTION'
  | 'DEAD_ROWS'
  | 'AUTOVACUUM_OFF'
  | 'HISTORY_LONG'
  | 'INDEX_MISSING'
  | 'INDEX_INVALID'
  | 'NOT_DURABLE'
  | 'NOT_STRICT'
  | 'NOT_READ_COMMITTED'
  | 'TIMEOUT_OFF'
  | 'CONNECTIONS_NEAR'
  | 'CONNECTIONS_FEW'
  | 'TLS_UNVERIFIED'
  | 'CLOCK_OFFSET'
  | 'CANNOT_SEE'
  | 'HINTS_UNHEARD'
  | 'ROW_DAMAGED'

/** One thing that was found. */
export interface Diagnosis {
  readonly code: DiagnosisCode
  /** `problem`: it has to be mended. `warning`: somebody should know. */
  readonly severity: 'problem' | 'warning'
  /** What, with the values in it, and why it matters. */
  readonly message: string
  /** What to do, or the statement that mends it. */
  readonly fix: string
}

/** How many live jobs are looked at for damaged rows when nobody says otherwise. */
export const DIAGNOSED_ROWS = 100_000

/** From where on something is worth telling. */
export interface DiagnosisLimits {
  /** How long a transaction may be open. Default 5 minutes. */
  readonly transactionMs: number
  /** Dead rows in one table, on servers that have them. Default 200,000. */
  readonly deadRows: number
  /** Changes that the server keeps for old transactions, on servers that count them. Default 500,000. */
  readonly history: number
  /** Share of the connections that a server takes: those in use, and those that live workers may open. Default 0.8. */
  readonly connections: number
  /** How far the store's clock may be from this machine's. Default 1 second. */
  readonly clockMs: number
  /** How many live jobs are looked at for damaged rows, those of the lowest ids, which are the oldest; and as many edges. Default `DIAGNOSED_ROWS`. */
  readonly rows: number
}
