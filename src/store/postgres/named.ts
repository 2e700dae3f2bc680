/** Statements of the hot path whose parameters have names (`@ids`), but for the time's, which is `$1`. */
import type { SqlResult, SqlValue } from '../sql/session.ts'
import type { PostgresDatabase } from './database.ts'

/** A statement with its parameters numbered, and their names in that order (after the time's). */
export interface Numbered {
  readonly text: string
  readonly names: readonly string[]
}

/** Numbers the parameters. */
export function numbered(text: string): Numbered {
  const names: string[] = []
  const sql = text.replace(/@(\w+)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name)
    return `$${names.indexOf(name) + 2}`
  })
  return { text: sql, names }
}

/** The statements of one store, each numbered once. */
export class NamedStatements {
  readonly #db: PostgresDatabase
  readonly #known = new Map<string, Numbered>()

  constructor(db: PostgresDatabase) {
    this.#db = db
  }

  /**
   * Runs the statement of that key, which `sql` tells once, ahead of what is not urgent. Only values that it names are made.
   * `isPatient` false: it says itself how long it waits for a lock.
   */
  run(
    key: string,
    sql: () => string,
    values: Readonly<Record<string, () => SqlValue>>,
    isPatient = true,
  ): Promise<SqlResult> {
    const { text, names } = this.#statement(key, sql)
    const params = [this.#db.nowParam(), ...names.map((name) => values[name]?.() ?? null)]
    return this.#db.statement(text, params, 'urgent', { isPatient })
  }

  #statement(key: string, sql: () => string): Numbered {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const { text, names } = numbered(sql())
    const statement = { text: this.#db.timed(text), names }
    this.#known.set(key, statement)
    return statement
  }
}
