/**
 * Live rows that are damaged, as `Store.diagnose` tells them. SQL only picks rows that look odd, window by window along the ids;
 * what is wrong with one, if anything, core says. Each window is one statement, which sees a row with its edges as they were at
 * one moment: a job that ends meanwhile never looks damaged.
 */
import { CLOCK_AHEAD_MS, damagesOf, LAST_INSTANT_MS, type LiveRow, LONGEST_LEASE_MS } from '../../core/job/damage.ts'
import { type Bond, ringsOf } from '../../core/job/rings.ts'
import { BLOCKED_REASONS } from '../../core/job/state.ts'
import type { Diagnosis, DiagnosisLimits } from '../contract/index.ts'
import { textOrNull } from './live-job.ts'
import { type Columns, int, tagsOrNull, text } from './rows.ts'
import type { Session } from './session.ts'

/** So many rows, or edges, of one statement: 10 to 50 ms, on 2 EPYC cores. */
const WINDOW = 10_000
/** So many damaged jobs, and rings, are named. */
const NAMED = 10
/** Of a ring so many jobs are named. */
const RING_SHOWN = 8
const GIVE_ID = 'Give that row an id that is text, or delete it, with SQL, and look again.'

const WINDOW_END = 'SELECT max(id) FROM (SELECT id FROM millrace_job WHERE id > $1 ORDER BY id LIMIT $2) AS w'
const CHILDREN = '(SELECT count(*) FROM millrace_edge e WHERE e.parent_id = j.id)'
const PARENTS = '(SELECT count(*) FROM millrace_edge e WHERE e.child_id = j.id)'
// No EXISTS: MySQL and MariaDB would make a join of it.
const LOST_PARENT =
  '(SELECT min(e.parent_id) FROM millrace_edge e WHERE e.child_id = j.id ' +
  'AND (SELECT 1 FROM millrace_job p WHERE p.id = e.parent_id LIMIT 1) IS NULL)'
const COLUMNS =
  'j.id, j.state, j.reason, j.blocked_on, j.priority, j.version, j.created_at, j.run_at, j.expires_at, j.timeout_ms, j.epoch, ' +
  'j.attempts, j.attempt_offset, j.losses, j.crashes, j.waiting_on, j.dependents, j.worker_id, j.lease_until, j.tags, ' +
  `${PARENTS}, ${CHILDREN}, ${LOST_PARENT}`
const ANY = `-${LAST_INSTANT_MS} AND ${LAST_INSTANT_MS}`
const MOST = LAST_INSTANT_MS
/** What holds of a healthy row; `IS NOT TRUE` of one is told also where a column is null that should not be. */
const HOLDS: readonly string[] = [
  'j.state BETWEEN 0 AND 4',
  'j.priority BETWEEN 0 AND 100',
  `j.version BETWEEN ${ANY}`,
  'j.created_at BETWEEN 0 AND $1',
  `j.run_at BETWEEN ${ANY}`,
  `j.expires_at IS NULL OR j.expires_at BETWEEN ${ANY}`,
  `j.timeout_ms IS NULL OR j.timeout_ms BETWEEN 0 AND ${MOST}`,
  `j.epoch BETWEEN 0 AND ${MOST}`,
  'j.attempts BETWEEN 0 AND j.epoch',
  'j.attempt_offset BETWEEN 0 AND j.attempts',
  'j.losses BETWEEN 0 AND j.epoch',
  'j.crashes BETWEEN 0 AND j.epoch',
  "j.tags IS NULL OR substr(j.tags, 1, 2) = '[\"'",
  'CASE WHEN j.state = 3 THEN j.worker_id IS NOT NULL ' +
    // allow sql: constants of core
    `WHEN j.state = 0 THEN j.reason IN (${BLOCKED_REASONS.map((reason) => `'${reason}'`).join(', ')}) ` +
    "AND (j.reason <> 'key' OR j.blocked_on IS NOT NULL) ELSE j.reason IS NULL AND j.blocked_on IS NULL END",
  `j.state <> 3 OR j.lease_until BETWEEN -${MOST} AND $2`,
  "CASE WHEN j.reason = 'parents' THEN j.waiting_on > 0 ELSE j.waiting_on = 0 END",
  `j.waiting_on = ${PARENTS}`,
  `j.dependents >= ${CHILDREN}`,
  // Only of those that wait, which are few.
  `j.waiting_on = 0 OR ${LOST_PARENT} IS NULL`,
]
const ODD = HOLDS.map((holds) => `(${holds}) IS NOT TRUE`).join(' OR ')
const CANDIDATES = `SELECT ${COLUMNS} FROM millrace_job j WHERE j.id > $3 AND j.id <= $4 AND (${ODD})`
/** The last column: whether the parent waits for somebody too, as each job of a ring does. */
const EDGES =
  'SELECT e.parent_id, e.child_id, CASE WHEN EXISTS (SELECT 1 FROM millrace_edge u WHERE u.child_id = e.parent_id) THEN 1 ELSE 0 END ' +
  'FROM millrace_edge e WHERE e.parent_id >= $1 AND (e.parent_id > $2 OR e.child_id > $3) ORDER BY e.parent_id, e.child_id LIMIT $4'

/** The statements of this file, for the tests of their plans. */
export const DAMAGE_STATEMENTS = { WINDOW_END, CANDIDATES, EDGES } as const

/** Damage that only one kind of store knows of. */
export interface OwnDamage {
  readonly id: string
  /** A half sentence that follows the job's name. */
  readonly what: string
  /** The statements that mend it, where nothing else is wrong with the job. */
  readonly fix: string
  /** Whether a job with other damages can only be ended when this one is mended. */
  readonly keepsFromEnd: boolean
}

/** An id, between two windows. In a damaged row of a file it may be bytes. */
export type WindowEdge = string | Uint8Array

/** Looks for damage of its own among the jobs whose ids are above the first and up to the second. */
export type OwnLook = (session: Session, above: WindowEdge, upTo: WindowEdge) => Promise<readonly OwnDamage[]>

/** A job that is damaged. */
interface Damaged {
  readonly id: string
  readonly what: readonly string[]
  readonly fix: string
}

/**
 * The damaged rows among the oldest `rows` live jobs and edges, those of the lowest ids named. `now`: the store's clock. Statements of
 * `session` need share nothing, neither a transaction nor a connection: all of a large store takes longer than one call may.
 */
export async function damagedRows(
  session: Session,
  now: number,
  { rows }: Pick<DiagnosisLimits, 'rows'>,
  ownLook: OwnLook = async () => [],
): Promise<readonly Diagnosis[]> {
  const named: Damaged[] = []
  let count = 0
  let above: WindowEdge = ''
  let unread: readonly Diagnosis[] = []
  for (let left = rows; left > 0; left -= WINDOW) {
    const { rows: ends } = await session.query(WINDOW_END, [above, Math.min(WINDOW, left)])
    const upTo = idOrNull(ends[0]?.[0])
    if (upTo === null) break
    if (Buffer.from(upTo).equals(Buffer.from(above))) {
      // It was read as another id than it is, so there is no way past it.
      unread = [
        problem(`the id after ${shellWord(text(above))} is no text, so jobs behind it were not looked at`, GIVE_ID),
      ]
      break
    }
    const found = await inWindow(session, now, above, upTo, ownLook)
    count += found.length
    named.push(...found.slice(0, NAMED - named.length))
    above = upTo
  }
  const rings = await ringsAmong(session, rows)
  return [
    ...named.map(({ id, what, fix }) => problem(`job ${id}: ${what.join('; ')}`, fix)),
    ...more(count - named.length, 'job is damaged', 'jobs are damaged'),
    ...unread,
    ...rings.slice(0, NAMED).map(ringFound),
    ...more(rings.length - NAMED, 'ring of jobs waits for itself', 'rings of jobs wait for themselves'),
  ]
}

/** An id in a statement that is shown, as standard SQL takes it: somebody else may have written it. */
export function quoted(id: string): string {
  return `'${id.replaceAll("'", "''")}'`
}

async function inWindow(
  session: Session,
  now: number,
  above: WindowEdge,
  upTo: WindowEdge,
  ownLook: OwnLook,
): Promise<readonly Damaged[]> {
  const found = new Map<string, Damaged>()
  const params = [Math.floor(now + CLOCK_AHEAD_MS), Math.floor(now + LONGEST_LEASE_MS), above, upTo]
  for (const row of (await session.query(CANDIDATES, params)).rows) {
    const live = liveRow(row)
    const what = damagesOf(live, now)
    const fix = `End it, and enqueue it anew: ${cancelling(live.id)}`
    if (what.length > 0) found.set(live.id, { id: live.id, what, fix })
  }
  for (const { id, what, fix, keepsFromEnd } of await ownLook(session, above, upTo)) {
    const known = found.get(id)
    if (known === undefined) found.set(id, { id, what: [what], fix })
    else found.set(id, { id, what: [...known.what, what], fix: keepsFromEnd ? `${fix} ${known.fix}` : known.fix })
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function idOrNull(id: Columns[number] | undefined): WindowEdge | null {
  return typeof id === 'string' || id instanceof Uint8Array ? id : null
}

function liveRow(row: Columns): LiveRow {
  const [state, reason, blockedOn, priority, version, createdAt, runAt, expiresAt, timeoutMs, epoch] = row.slice(1)
  const [attempts, attemptOffset, losses, crashes, waitingOn, dependents, workerId, leaseUntil, tags] = row.slice(11)
  return {
    ...{ id: text(row[0]), state, reason, blockedOn, priority, version, createdAt, runAt, expiresAt, timeoutMs, epoch },
    ...{ attempts, attemptOffset, losses, crashes, waitingOn, dependents, workerId, leaseUntil },
    ...{ hasFitTags: tagsOrNull(tags) !== null, parents: int(row[20]), children: int(row[21]) },
    lostParent: textOrNull(row[22]),
  }
}

async function ringsAmong(session: Session, most: number): Promise<readonly (readonly string[])[]> {
  const bonds: Bond[] = []
  let [parent, child] = ['', '']
  for (let left = most; left > 0; left -= WINDOW) {
    const limit = Math.min(WINDOW, left)
    const { rows } = await session.query(EDGES, [parent, parent, child, limit])
    for (const row of rows) if (int(row[2]) === 1) bonds.push([text(row[0]), text(row[1])])
    const last = rows.at(-1)
    if (last === undefined || rows.length < limit) break
    ;[parent, child] = [text(last[0]), text(last[1])]
  }
  return ringsOf(bonds)
}

function ringFound(ring: readonly string[]): Diagnosis {
  const [first = ''] = ring
  const shown = ring.length <= RING_SHOWN ? ring : [...ring.slice(0, RING_SHOWN), `${ring.length - RING_SHOWN} more`]
  const message = `jobs wait for each other in a ring, so that none of them runs: ${[...shown, first].join(' → ')}`
  return problem(message, `Break it: ${cancelling(first)}`)
}

function more(count: number, one: string, many: string): readonly Diagnosis[] {
  if (count <= 0) return []
  return [problem(`${count} more ${count === 1 ? one : many}`, 'Mend those that are named, and look again.')]
}

function problem(message: string, fix: string): Diagnosis {
  return { code: 'ROW_DAMAGED', severity: 'problem', message, fix }
}

/** What ends a job. An id that begins with a dash is no option. */
function cancelling(id: string): string {
  return `millrace job cancel ${id.startsWith('-') ? '-- ' : ''}${shellWord(id)}`
}

/** An id that somebody else wrote, as a shell takes it for one word. */
function shellWord(id: string): string {
  return /^[\w-]+$/.test(id) ? id : `'${id.replaceAll("'", "'\\''")}'`
}
