/** Stores of versions that are yet to come: this one's steps and up to two more, the second of which older programs cannot follow. */
import type { Store } from '../../src/store/contract/index.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import type { Migration } from '../../src/store/sql/migrations.ts'
import { createSqliteStore } from '../../src/store/sqlite/store.ts'

/** The first is an expansion as a release makes it: a column, filled from what is there, and an index. */
const LATER: readonly Migration[] = [
  {
    oldest: 1,
    statements: [
      'ALTER TABLE millrace_job ADD COLUMN shade INTEGER',
      'CREATE INDEX job_shade ON millrace_job (shade)',
      'UPDATE millrace_job SET shade = priority',
    ],
  },
  { oldest: 3, statements: ['DROP TABLE millrace_node'] },
]

/** The store at a URL as a program that knows so many later steps has it. */
export function laterStore(url: string, steps: number): Store {
  const later = LATER.slice(0, steps)
  if (url.startsWith('sqlite:')) return createSqliteStore({ path: url.slice('sqlite:'.length), later })
  return url.startsWith('postgres') ? createPostgresStore({ url, later }) : createMysqlStore({ url, later })
}
