/** A database as its own clients see it: run statements on it, and say what tables, columns and indexes a store has there. */
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { mysqlClient } from './mysql-client.ts'

export interface Database {
  run(statement: string): Promise<void>
  /** What the store at a URL of this server is made of, in an order of its own. */
  describe(url: string): Promise<readonly unknown[]>
}

/** Connects to the server or file of a store's URL until the test has finished. */
export async function databaseOf(url: string): Promise<Database> {
  if (url.startsWith('sqlite:')) return sqlite(url)
  return url.startsWith('postgres') ? postgres(url) : mariadb(url)
}

function sqlite(url: string): Database {
  const open = (from: string) => {
    const db = new DatabaseSync(from.slice('sqlite:'.length))
    onTestFinished(() => db.close())
    return db
  }
  const db = open(url)
  const parts = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
  return {
    run: async (statement) => db.exec(statement),
    describe: async (from) => open(from).prepare(parts).all(),
  }
}

async function postgres(url: string): Promise<Database> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(() => client.end())
  return {
    run: async (statement) => {
      await client.query(statement)
    },
    async describe(from) {
      const schema = new URL(from).searchParams.get('schema') ?? 'millrace'
      const columns =
        'SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name ' +
        'FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1, 2'
      const indexes = 'SELECT indexdef FROM pg_indexes WHERE schemaname = $1 ORDER BY indexname'
      const options =
        'SELECT relname, reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 ORDER BY 1'
      const found: unknown[] = []
      for (const text of [columns, indexes, options]) found.push((await client.query(text, [schema])).rows)
      return JSON.parse(JSON.stringify(found).replaceAll(schema, 'schema'))
    },
  }
}

async function mariadb(url: string): Promise<Database> {
  const client = await mysqlClient(url)
  return {
    run: async (statement) => {
      await client.query(statement)
    },
    async describe(from) {
      const database = new URL(from).pathname.slice(1)
      const columns =
        'SELECT table_name, column_name, column_type, is_nullable, column_default, extra ' +
        'FROM information_schema.columns WHERE table_schema = ? ORDER BY 1, 2'
      const indexes =
        'SELECT table_name, index_name, seq_in_index, column_name, non_unique FROM information_schema.statistics ' +
        'WHERE table_schema = ? ORDER BY 1, 2, 3'
      const [found, keys] = [await client.query(columns, [database]), await client.query(indexes, [database])]
      return [found[0], keys[0]]
    },
  }
}
