/** What the schemas of all SQL stores have in common: numbered steps, and who may work on which version. */
import { StoreError } from '../../core/errors.ts'
import type { SchemaVersion } from '../contract/store.ts'

/** One step of a schema. Step n of a list brings a store from version n - 1 to n. */
export interface Migration {
  /** Run in order, each without its semicolon. */
  readonly statements: readonly string[]
  /** The oldest version that a program may know and still work on a store after this step. */
  readonly oldest: number
}

/** A script as its statements. None of ours holds a semicolon within. */
export function statementsOf(script: string): readonly string[] {
  return script
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

/** Throws when the store's schema is newer than what this code may work on: its rows may mean something else. */
export function refuseNewer(where: string, { current, latest, oldest }: SchemaVersion): void {
  if (latest >= oldest) return
  const known = `this Millrace knows version ${latest}, and ${oldest} is needed at least`
  throw new StoreError('schema', 'STORE_NEWER', `${where} has schema version ${current}; ${known}`, {
    fields: { store: where, current, latest, oldest },
    hint: 'Update millrace in this program.',
  })
}

/** The error of a migration that waited for others for too long. */
export function migrationWaited(where: string, seconds: number): StoreError {
  return new StoreError('transient', 'STORE_BUSY', `${where} could not be migrated within ${seconds} s`, {
    fields: { store: where },
    hint: 'Another migration is at work, or a long transaction holds locks on the tables of Millrace: end it, or wait.',
  })
}

/** How long a migration waits for other migrations and for locks, in seconds. */
export const MIGRATION_WAIT_S = 600

/** Waits a little, never the same time. */
export function migrationPause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 20 + Math.random() * 100)
  })
}
