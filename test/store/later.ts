/** Stores of versions that are yet to come: this one's steps and up to two more, the second of which older programs cannot follow. */
import type { Store } from '../../src/store/contract/index.ts'
import { STEPS as MYSQL_STEPS } from '../../src/store/mysql/migrate.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { STEPS as POSTGRES_STEPS } from '../../src/store/postgres/migrate.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import type { Migration } from '../../src/store/sql/migrations.ts'
import { STEPS as SQLITE_STEPS } from '../../src/store/sqlite/migrate.ts'
import { createSqliteStore } from '../../src/store/sqlite/store.ts'

/** The first is an expansion as a release makes it: a column, filled from what is there, and an index. */
const later = (steps: number): readonly Migration[] => [
  {
    oldest: 1,
    statements: [
      'ALTER TABLE millrace_job ADD COLUMN shade INTEGER',
      'CREATE INDEX job_shade ON millrace_job (shade)',
      'UPDATE millrace_job SET shade = priority',
    ],
  },
  { oldest: steps + 2, statements: ['DROP TABLE millrace_node'] },
]

/** How many steps this version knows for the store at a URL. */
export function stepsOf(url: string): number {
  if (url.startsWith('sqlite:')) return SQLITE_STEPS.length
  return url.startsWith('postgres') ? POSTGRES_STEPS.length : MYSQL_STEPS.length
}

/** The store at a URL as a program that knows so many later steps has it. */
export function laterStore(url: string, steps: number): Store {
  const more = { later: later(stepsOf(url)).slice(0, steps) }
  if (url.startsWith('sqlite:')) return createSqliteStore({ path: url.slice('sqlite:'.length), ...more })
  return url.startsWith('postgres') ? createPostgresStore({ url, ...more }) : createMysqlStore({ url, ...more })
}
