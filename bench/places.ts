/** Where a measurement's jobs are: a fresh file, or a fresh database of a server and a key prefix in Redis, gone afterwards. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { durableRedis, sharedRedis } from './redis.ts'

/** What `--store` takes, aliases aside. */
export type StoreName = 'sqlite' | 'postgres' | 'mysql'

/** A place for one run of one side. */
export interface Place {
  /** What the side is told of it. */
  readonly told: Readonly<Record<string, unknown>>
  /** Leaves nothing of it behind. Its processes have ended. */
  remove(): Promise<void>
}

/** The servers that are used when no `--url` says otherwise. */
export const DEFAULT_URLS: Readonly<Record<Exclude<StoreName, 'sqlite'>, string>> = {
  postgres: 'postgres://postgres@127.0.0.1:5432/postgres',
  mysql: 'mysql://root@127.0.0.1:3306/',
}

/** What a side needs beside the store: a Redis, as it is, or one that writes to the disk before it answers. */
export type Cache = 'redis' | 'durable redis' | undefined

let made = 0

/** Makes a place. Rejects when the server cannot be reached. */
export async function makePlace(store: StoreName, url: string, cache: Cache): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const path = join(folder, 'jobs.db')
  if (store === 'sqlite') return placeIn(folder, { path }, async () => {})
  const redis = cache && (await (cache === 'redis' ? sharedRedis() : durableRedis(folder)))
  const name = `millrace_bench_${process.pid}_${made++}`
  const own = new URL(url)
  own.pathname = `/${name}`
  const storePid = await SERVERS[store].create(url, name)
  const told = {
    path,
    url: own.href,
    redis: redis?.url,
    prefix: name,
    serverPid: redis === undefined ? storePid : redis.pid,
  }
  return placeIn(folder, told, async () => {
    await SERVERS[store].drop(url, name)
    await redis?.remove(name)
  })
}

/** A folder, and what else there is. */
function placeIn(folder: string, told: Readonly<Record<string, unknown>>, removeMore: () => Promise<void>): Place {
  const remove = async () => {
    await removeMore()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  let removing: Promise<void> | undefined
  return {
    told,
    remove() {
      removing ??= remove()
      return removing
    },
  }
}

const SERVERS = {
  postgres: {
    async create(url: string, name: string): Promise<number | undefined> {
      return inPostgres(url, async (query) => {
        await query(`CREATE DATABASE ${name}`)
        const { rows } = await query('SELECT pg_backend_pid() AS pid')
        // The process that all of the server's others are children of.
        return parentOf(Number(rows[0]?.pid))
      })
    },
    async drop(url: string, name: string): Promise<void> {
      await inPostgres(url, (query) => query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
    },
  },
  mysql: {
    async create(url: string, name: string): Promise<number | undefined> {
      return inMysql(url, async (query) => {
        await query(`CREATE DATABASE ${name}`)
        const [row] = await query('SELECT @@pid_file AS file')
        return pidIn(row?.file)
      })
    },
    async drop(url: string, name: string): Promise<void> {
      await inMysql(url, (query) => query(`DROP DATABASE IF EXISTS ${name}`))
    },
  },
}

async function inPostgres<T>(
  url: string,
  work: (query: (sql: string) => Promise<{ rows: { pid?: unknown }[] }>) => Promise<T>,
): Promise<T> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work((sql) => client.query(sql))
  } finally {
    await client.end()
  }
}

async function inMysql<T>(
  url: string,
  work: (query: (sql: string) => Promise<{ file?: unknown }[]>) => Promise<T>,
): Promise<T> {
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection(url)
  try {
    return await work(async (sql) => {
      const [rows] = await connection.query(sql)
      return Array.isArray(rows) ? (rows as { file?: unknown }[]) : [] // Rows are objects here; a command has none.
    })
  } finally {
    await connection.end()
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined // The server runs elsewhere, or Linux is not here.
  }
}

function pidIn(file: unknown): number | undefined {
  try {
    return Number(readFileSync(String(file), 'utf8'))
  } catch {
    return undefined // The server runs elsewhere.
  }
}
