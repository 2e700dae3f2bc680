/**
 * The archive of the PostgreSQL store as it is, one table pruned in chunks, beside one in daily partitions that are dropped:
 *
 *     node bench/archive.ts [postgres://…] [rows]
 *
 * Each end has a retention of its own (7, 30 and 1 days by default), so partitions are by state, then by day: 41 of them.
 * Measured with a million rows by default: filling (committed by 500), the look for repeated ids that each insert does (by
 * 100), and taking the oldest day of completed jobs away, with the WAL and the vacuum that it costs. The two take turns.
 * Everything is in a schema of its own, which is dropped.
 */
import pg from 'pg'

const [url = 'postgres://postgres@127.0.0.1:5432/postgres', count = '1000000'] = process.argv.slice(2)
const ROWS = Number(count)
const DAY_MS = 86_400_000
const NOW = Math.floor(Date.now() / DAY_MS) * DAY_MS
const DAYS = { 5: 7, 6: 30, 7: 1 } as const
const SCHEMA = `millrace_bench_${process.pid}`
const COLUMNS =
  'id text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, queue text COLLATE "C" NOT NULL, run_at bigint NOT NULL, ' +
  'created_at bigint NOT NULL, finished_at bigint NOT NULL, version bigint NOT NULL, priority smallint NOT NULL, ' +
  'state smallint NOT NULL, epoch integer NOT NULL, attempts integer NOT NULL, started_at bigint, ' +
  'worker_id text COLLATE "C", unique_key text COLLATE "C", payload bytea, result bytea'
const client = new pg.Client({ connectionString: url })

await client.connect()
await run(`CREATE SCHEMA ${SCHEMA}`)
await run(`SET search_path = ${SCHEMA}; SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off`)
await run(`SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off; SET enable_mergejoin = off`)
try {
  await makeTables()
  const figures = { plain: noFigures(), parted: noFigures() }
  for (let i = 0; i < ROWS; i += ROWS / 20) {
    for (const table of ['plain', 'parted'] as const)
      figures[table].fillS += await timed(() => fill(table, i, ROWS / 20))
  }
  await run('VACUUM ANALYZE')
  for (let round = 0; round < 400; round++) {
    for (const table of ['plain', 'parted'] as const)
      figures[table].lookMs.push((await timed(() => look(table))) * 1000)
  }
  for (const [table, prune] of [
    ['plain', pruneChunks],
    ['parted', dropPartition],
  ] as const) {
    const figure = figures[table]
    const from = await wal()
    figure.pruneS = await timed(prune)
    figure.pruneWalMb = ((await wal()) - from) / 1e6
    const before = await wal()
    figure.vacuumS = table === 'plain' ? await timed(() => run('VACUUM plain')) : 0
    figure.vacuumWalMb = ((await wal()) - before) / 1e6
  }
  for (const [table, figure] of Object.entries(figures)) console.log(table, said(figure))
} finally {
  await run(`DROP SCHEMA ${SCHEMA} CASCADE`)
  await client.end()
}

interface Figures {
  fillS: number
  readonly lookMs: number[]
  pruneS: number
  pruneWalMb: number
  vacuumS: number
  vacuumWalMb: number
}

function noFigures(): Figures {
  return { fillS: 0, lookMs: [], pruneS: 0, pruneWalMb: 0, vacuumS: 0, vacuumWalMb: 0 }
}

function said(figure: Figures): string {
  const sorted = figure.lookMs.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2)
  return (
    `${Math.round(ROWS / figure.fillS)} rows/s; look for 100 ids p50 ${at(0.5)} p95 ${at(0.95)} ms; ` +
    `oldest day away in ${figure.pruneS.toFixed(2)} s, ${figure.pruneWalMb.toFixed(1)} MB of WAL; ` +
    `vacuum after it ${figure.vacuumS.toFixed(2)} s, ${figure.vacuumWalMb.toFixed(1)} MB`
  )
}

async function makeTables(): Promise<void> {
  await run(`CREATE TABLE plain (${COLUMNS}, PRIMARY KEY (id))`)
  await run(`CREATE TABLE parted (${COLUMNS}, PRIMARY KEY (id, state, finished_at)) PARTITION BY LIST (state)`)
  for (const [state, days] of Object.entries(DAYS)) {
    await run(
      `CREATE TABLE parted_${state} PARTITION OF parted FOR VALUES IN (${state}) PARTITION BY RANGE (finished_at)`,
    )
    for (let day = -days; day <= 0; day++) {
      const [from, to] = [NOW + day * DAY_MS, NOW + (day + 1) * DAY_MS]
      await run(
        `CREATE TABLE parted_${state}_${-day} PARTITION OF parted_${state} FOR VALUES FROM (${from}) TO (${to}) ` +
          'WITH (autovacuum_enabled = off)',
      )
    }
  }
  await run('ALTER TABLE plain SET (autovacuum_enabled = off)')
  for (const table of ['plain', 'parted']) {
    await run(`CREATE INDEX ${table}_finished ON ${table} (queue, state, finished_at)`)
    await run(`CREATE INDEX ${table}_failed ON ${table} (id) WHERE state = 6`)
    await run(`CREATE INDEX ${table}_cancelled ON ${table} (id) WHERE state = 7`)
  }
}

/** 97 of 100 jobs complete, 2 fail, 1 is cancelled. Each end lies over the days that it is kept, in the order of ending. */
async function fill(table: string, from: number, rows: number): Promise<void> {
  const text =
    `INSERT INTO ${table} SELECT to_char(g, 'FM000000000000') || md5(g::text), 'job', 'q', f, f, f, 1, 5, s, 1, 1, f, 'w', ` +
    "NULL, decode(md5(g::text), 'hex'), NULL FROM (SELECT g, s, $3::bigint + ((g::bigint - $4) * d * 86400000) / $4 AS f FROM " +
    '(SELECT g, s, CASE s WHEN 5 THEN 7 WHEN 6 THEN 30 ELSE 1 END AS d FROM ' +
    '(SELECT g, CASE WHEN g % 100 < 97 THEN 5 WHEN g % 100 < 99 THEN 6 ELSE 7 END AS s ' +
    'FROM generate_series($1::int, $2::int - 1) g) a) b) c'
  for (let at = from; at < from + rows; at += 500)
    await client.query({ name: table, text, values: [at, at + 500, NOW, ROWS] })
}

async function look(table: string): Promise<void> {
  const ids = Array.from({ length: 100 }, (_, i) => `${String(ROWS + i).padStart(12, '0')}${Math.random()}`)
  const text = `SELECT count(*) FROM unnest($1::text[]) AS v(id) WHERE NOT EXISTS (SELECT 1 FROM ${table} a WHERE a.id = v.id)`
  await client.query({ name: `look ${table}`, text, values: [ids] })
}

async function pruneChunks(): Promise<void> {
  const text =
    "DELETE FROM plain WHERE id = ANY (ARRAY(SELECT id FROM plain WHERE queue = 'q' AND state = 5 AND finished_at < $1 " +
    'ORDER BY finished_at LIMIT 1000))'
  const until = NOW - 6 * DAY_MS
  while (((await client.query({ name: 'prune', text, values: [until] })).rowCount ?? 0) > 0);
}

async function dropPartition(): Promise<void> {
  await run('DROP TABLE parted_5_7')
}

/** Bytes of WAL that were written so far. */
async function wal(): Promise<number> {
  const { rows } = await client.query("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes")
  return Number(rows[0]?.bytes)
}

async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now()
  await work()
  return (performance.now() - from) / 1000
}

async function run(text: string): Promise<void> {
  await client.query(text)
}
