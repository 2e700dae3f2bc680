/** What a connection of our own and one of a caller's have in common. */
import type { SqlResult } from '../sql/session.ts'

/** A value as the driver takes it. */
export type Bound = string | number | null | Uint8Array

/** What runs statements: our own connection, or a user's. */
export interface Runner {
  /** Runs a prepared statement. */
  execute(text: string, values: readonly Bound[]): Promise<SqlResult>
  /** Runs constant text without parameters. */
  run(text: string): Promise<void>
}
