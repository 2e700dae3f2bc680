/** An order of the app's own and its job in one transaction of the app's: both are there or neither is. */
import { DatabaseSync } from 'node:sqlite'
import mysql from 'mysql2/promise'
import pg from 'pg'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { pathOf, readTables } from '../support/tables.ts'

const CREATE = 'CREATE TABLE IF NOT EXISTS app_order (job_id VARCHAR(80) NOT NULL)'
const ORDERED = "'order'"

/** Writes both into the database of the store at a URL, on a connection of the app's. */
export async function insertWithOrder(url: string, { jobs }: Store, job: NewJob): Promise<void> {
  if (url.startsWith('sqlite:')) {
    const db = new DatabaseSync(pathOf(url), { timeout: 1_000 })
    db.exec(CREATE)
    db.exec('BEGIN IMMEDIATE')
    db.prepare('INSERT INTO app_order (job_id) VALUES (?)').run(job.id)
    await jobs.insertWithin(db, [job])
    db.exec('COMMIT')
    db.close()
    return
  }
  if (url.startsWith('postgres')) {
    const plain = new URL(url)
    const schema = pg.escapeIdentifier(plain.searchParams.get('schema') ?? '')
    plain.search = ''
    const client = new pg.Client({ connectionString: plain.href })
    await client.connect()
    await client.query(`SET search_path TO ${schema}`)
    await client.query(CREATE)
    await client.query('BEGIN')
    await client.query('INSERT INTO app_order (job_id) VALUES ($1)', [job.id])
    await jobs.insertWithin(client, [job])
    await client.query('COMMIT')
    await client.end()
    return
  }
  const plain = new URL(url)
  plain.search = ''
  const connection = await mysql.createConnection(plain.href)
  await connection.query(CREATE)
  await connection.beginTransaction()
  await connection.execute('INSERT INTO app_order (job_id) VALUES (?)', [job.id])
  await jobs.insertWithin(connection, [job])
  await connection.commit()
  await connection.end()
}

/** Orders without their job, or the job without its order. */
export function halfOrders(url: string): Promise<readonly unknown[]> {
  return readTables(url, async ({ rows }) => {
    // It may have died before it made the table.
    await rows(CREATE)
    const orders = await rows('SELECT job_id FROM app_order')
    const jobs = await rows(
      `SELECT id FROM (SELECT id, unique_key FROM millrace_job UNION ALL SELECT id, unique_key FROM millrace_archive) j WHERE unique_key = ${ORDERED}`,
    )
    return orders.length === jobs.length ? [] : [{ orders, jobs }]
  })
}
