/** What diagnose finds on PostgreSQL: each finding appears with its cause, and goes with it. */
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { finding, findsTooFewConnections, until } from '../support/findings.ts'
import { describeOn, describeOnPrivate, freshStoreUrl, migratedStore } from '../support/servers.ts'

await describeOn('postgres', (server) => {
  it('a transaction that is open for too long, until it ends', async () => {
    const store = await migratedStore(await freshStoreUrl(server))
    const client = await pgClient(server.url, { application_name: 'the forgotten one' })
    await client.query('BEGIN; SELECT 1')

    const found = await until(() => finding(store, 'OLD_TRANSACTION', { transactionMs: 50 }, 'the forgotten one'))

    expect(found).toMatchObject({ severity: 'warning', fix: expect.stringContaining('pg_terminate_backend') })
    await client.query('COMMIT')
    expect(await finding(store, 'OLD_TRANSACTION', { transactionMs: 50 }, 'the forgotten one')).toBeUndefined()
  })

  it('no vacuum, however long it takes: no other one waits for it', async () => {
    const url = await freshStoreUrl(server)
    const schema = new URL(url).searchParams.get('schema') ?? ''
    const store = await migratedStore(url)
    await store.jobs.insert(jobs(900))
    await pgRun(server.url, `DELETE FROM "${schema}".job`)
    const [vacuum, looks] = [
      await pgClient(server.url, { application_name: 'the slow vacuum' }),
      await pgClient(server.url),
    ]
    await vacuum.query('SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1')
    const [pid] = (await vacuum.query('SELECT pg_backend_pid() AS pid')).rows
    const isUnderWay = async () => {
      const text =
        'SELECT 1 FROM pg_stat_progress_vacuum v JOIN pg_stat_activity a USING (pid) ' +
        "WHERE pid = $1 AND backend_xmin IS NOT NULL AND xact_start < clock_timestamp() - interval '1 second'"
      return (await looks.query(text, [pid.pid])).rows.length > 0
    }
    const ended = vacuum.query(`VACUUM (TRUNCATE false) "${schema}".job`).catch(() => undefined)

    await expect.poll(isUnderWay, { timeout: 10_000 }).toBe(true)

    expect(await finding(store, 'OLD_TRANSACTION', { transactionMs: 50 }, 'the slow vacuum')).toBeUndefined()
    expect(await isUnderWay()).toBe(true)
    await looks.query('SELECT pg_cancel_backend($1)', [pid.pid])
    await ended
  })

  it('an index that is missing or invalid, until the statement that is printed was run', async () => {
    const url = await freshStoreUrl(server)
    const schema = new URL(url).searchParams.get('schema') ?? ''
    const store = await migratedStore(url)
    const client = await pgClient(server.url)
    await client.query(`DROP INDEX "${schema}".job_ready`)
    await client.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"${schema}".job_due'::regclass`)

    const [missing, invalid] = [await finding(store, 'INDEX_MISSING'), await finding(store, 'INDEX_INVALID')]

    expect(missing?.message).toContain('job_ready')
    expect(invalid?.message).toContain('job_due')
    for (const { fix } of [missing, invalid].filter((one) => one !== undefined)) await client.query(fix)
    expect(await finding(store, 'INDEX_MISSING')).toBeUndefined()
    expect(await finding(store, 'INDEX_INVALID')).toBeUndefined()
  })

  it('dead rows in the hot table, until it is vacuumed', async () => {
    const url = await freshStoreUrl(server)
    const schema = new URL(url).searchParams.get('schema') ?? ''
    const store = await migratedStore(url)
    await pgRun(server.url, `ALTER TABLE "${schema}".job SET (autovacuum_enabled = off)`)
    await store.jobs.insert(jobs(200))
    await pgRun(server.url, `UPDATE "${schema}".job SET attempts = 1`)

    const found = await until(() => finding(store, 'DEAD_ROWS', { deadRows: 100 }))

    // Not before nobody else's transaction could still see them.
    await until(async () => {
      await pgRun(server.url, found.fix.replace(/;.*/, ''))
      return (await finding(store, 'DEAD_ROWS', { deadRows: 100 })) === undefined || undefined
    })
  })

  it('dead rows in any other table of ours, when they are many beside its live ones', async () => {
    const url = await freshStoreUrl(server)
    const schema = new URL(url).searchParams.get('schema') ?? ''
    const store = await migratedStore(url)
    const dead = (table: string) => finding(store, 'DEAD_ROWS', { deadRows: 100 }, `the table ${table} `)
    await pgRun(
      server.url,
      ...['lease', 'state'].map((table) => `ALTER TABLE "${schema}".${table} SET (autovacuum_enabled = off)`),
      `INSERT INTO "${schema}".state SELECT i, '', 1 FROM generate_series(1, 1000) i`,
      `INSERT INTO "${schema}".lease SELECT gen_random_uuid(), 0, '{}' FROM generate_series(1, 200) i`,
      `DELETE FROM "${schema}".state WHERE state_key::int <= 200`,
      `DELETE FROM "${schema}".lease`,
    )

    const found = await until(() => dead('lease'))

    // A fifth of a large table may be dead before autovacuum comes.
    expect(await dead('state')).toBeUndefined()
    await pgRun(server.url, `DELETE FROM "${schema}".state`)
    expect((await until(() => dead('state'))).fix).toContain(`VACUUM "${schema}"."state"`)
    // Not before nobody else's transaction could still see them.
    await until(async () => {
      await pgRun(server.url, found.fix.replace(/;.*/, ''))
      return (await dead('lease')) === undefined || undefined
    })
  })

  it('autovacuum that is off for a table, until it is left to itself by the statement that is printed', async () => {
    const url = await freshStoreUrl(server)
    const schema = new URL(url).searchParams.get('schema') ?? ''
    const store = await migratedStore(url)
    const client = await pgClient(server.url)
    expect(await finding(store, 'AUTOVACUUM_OFF', {}, 'for the table')).toBeUndefined()
    await client.query(`ALTER TABLE "${schema}".bytes SET (autovacuum_enabled = off)`)

    // The server may have it off for all its tables.
    const found = await finding(store, 'AUTOVACUUM_OFF', {}, 'for the table')

    expect(found).toMatchObject({ severity: 'warning', message: expect.stringContaining('for the table bytes') })
    await client.query(found?.fix ?? '')
    expect(await finding(store, 'AUTOVACUUM_OFF', {}, 'for the table')).toBeUndefined()
  })

  it('connections that are nearly used up', async () => {
    const store = await migratedStore(await freshStoreUrl(server))

    expect(await finding(store, 'CONNECTIONS_NEAR', { connections: 0 })).toBeDefined()
    expect(await finding(store, 'CONNECTIONS_NEAR', { connections: 1 })).toBeUndefined()
  })
})

await describeOnPrivate(
  'postgres',
  (server) => {
    it('commits that are not waited for, and a server that never writes to disk', async () => {
      const store = await migratedStore(await freshStoreUrl(server))
      const settings = async () =>
        (await store.diagnose()).filter(({ code }) => code === 'NOT_DURABLE').map(({ message }) => message)

      expect((await settings()).toSorted()).toEqual([
        expect.stringContaining('fsync is off'),
        expect.stringContaining('synchronous_commit is off'),
      ])
    })

    it.each(['autovacuum', 'track_counts'])('a server where %s is off, until it is on', async (setting) => {
      const store = await migratedStore(await freshStoreUrl(server))
      const said = () => finding(store, 'AUTOVACUUM_OFF', {}, `${setting} is off`)
      expect(await said()).toBeUndefined()
      await server.run(`ALTER SYSTEM SET ${setting} = off`, 'SELECT pg_reload_conf()')

      const found = await until(said)

      await server.run(...found.fix.split(';').filter((one) => one.trim() !== ''))
      await until(async () => ((await said()) === undefined ? true : undefined))
    })

    it('another isolation behind a pooler, where sessions are not set up, until the role has ours', async () => {
      const url = await freshStoreUrl(server)
      const direct = await migratedStore(url)
      await server.run('ALTER DATABASE postgres SET default_transaction_isolation = "repeatable read"')
      const pooled = () => migratedStore(`${url}&pooler=transaction`)

      const found = await finding(await pooled(), 'NOT_READ_COMMITTED')

      expect(found).toMatchObject({ severity: 'warning', message: expect.stringContaining('repeatable read') })
      expect(await finding(direct, 'NOT_READ_COMMITTED')).toBeUndefined()
      await server.run(found?.fix ?? '')
      expect(await finding(await pooled(), 'NOT_READ_COMMITTED')).toBeUndefined()
    })

    it('no limit of time for reads behind a pooler, until the role has one', async () => {
      const url = await freshStoreUrl(server, { deadline: '7s' })
      const direct = await migratedStore(url)
      const pooled = () => migratedStore(`${url}&pooler=transaction`)

      const found = await finding(await pooled(), 'TIMEOUT_OFF')

      expect(found).toMatchObject({ severity: 'warning', fix: expect.stringContaining('statement_timeout = 6300;') })
      expect(await finding(direct, 'TIMEOUT_OFF')).toBeUndefined()
      await server.run(found?.fix.replace(/;.*/, '') ?? '')
      expect(await finding(await pooled(), 'TIMEOUT_OFF')).toBeUndefined()
    })

    findsTooFewConnections(server, 6)
  },
  ['fsync=off', 'synchronous_commit=off', 'max_connections=20'],
)

async function pgClient(url: string, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, ...options })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

/** Runs statements, and disconnects: what they did is counted by then, not up to ten seconds later. */
async function pgRun(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

function jobs(count: number) {
  return Array.from({ length: count }, () => ({
    ...{ id: newId(), name: 'n', version: 1, queue: 'q', priority: 5 },
    payload: Buffer.from('{}'),
  }))
}
