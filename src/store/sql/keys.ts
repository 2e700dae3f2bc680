/** Unique keys of a ledger: locked in the order of their hashes, changed in memory, written back together. */
import { createHash } from 'node:crypto'
import { intOrNull } from './live-job.ts'
import { text } from './rows.ts'
import { Restart, type RowsStatement, rowsJson, type Transaction } from './session.ts'

/** A unique key, held or free. */
export interface Key {
  readonly hash: string
  readonly scope: string
  readonly key: string
  /** Null: free. */
  jobId: string | null
  until: number | null
  readonly isStored: boolean
  isDirty: boolean
}

const COLUMNS = 'key_hash, scope, unique_key, job_id, until_at'
const LOCK_OF_JOBS = `SELECT ${COLUMNS} FROM millrace_unique WHERE job_id IN LIST($1 text) ORDER BY key_hash FOR UPDATE`
const LOCK = `SELECT ${COLUMNS} FROM millrace_unique WHERE key_hash IN LIST($1 text) ORDER BY key_hash FOR UPDATE`
/** The statements that lock keys, for a driver that has to say them in another way. */
export const KEY_STATEMENTS = { LOCK, LOCK_OF_JOBS } as const
const TYPES = { key_hash: 'text', scope: 'text', unique_key: 'text', job_id: 'text', until_at: 'int' } as const
const INSERT: RowsStatement = {
  write: 'insert',
  table: 'unique',
  columns: TYPES,
  key: ['key_hash'],
  onTaken: 'skip',
}
const UPDATE: RowsStatement = {
  write: 'update',
  table: 'unique',
  key: { key_hash: 'text' },
  set: { job_id: 'text', until_at: 'int' },
}
const DELETE: RowsStatement = { write: 'delete', table: 'unique', key: { key_hash: 'text' } }

/** What a key is found by: scopes and keys may be longer than an index takes. */
export function keyHash(scope: string, key: string): string {
  return createHash('sha256').update(`${scope.length}:${scope}${key}`).digest('base64url')
}

/** The keys that a ledger works with. */
export class KeyBook {
  readonly #tx: Transaction
  readonly #keys = new Map<string, Key>()

  constructor(tx: Transaction) {
    this.#tx = tx
  }

  /** Locks the keys that these jobs hold. */
  async lockOf(jobIds: readonly string[]): Promise<void> {
    this.#add((await this.#tx.query(LOCK_OF_JOBS, [jobIds])).rows)
  }

  /** Locks these keys as far as they are there; `get` then knows all of them. */
  async lock(wanted: readonly { readonly scope: string; readonly key: string }[]): Promise<void> {
    const unknown = new Map<string, Key>()
    for (const { scope, key } of wanted) {
      const hash = keyHash(scope, key)
      if (this.#keys.has(hash)) continue
      unknown.set(hash, { hash, scope, key, jobId: null, until: null, isStored: false, isDirty: false })
    }
    if (unknown.size === 0) return
    const { rows } = await this.#tx.query(LOCK, [[...unknown.keys()].sort()])
    this.#add(rows)
    for (const [hash, key] of unknown) if (!this.#keys.has(hash)) this.#keys.set(hash, key)
  }

  #add(rows: readonly (readonly unknown[])[]): void {
    for (const row of rows) {
      const hash = text(row[0])
      if (this.#keys.has(hash)) continue
      this.#keys.set(hash, {
        hash,
        scope: text(row[1]),
        key: text(row[2]),
        jobId: text(row[3]),
        until: intOrNull(row[4]),
        isStored: true,
        isDirty: false,
      })
    }
  }

  get(scope: string, key: string): Key | undefined {
    return this.#keys.get(keyHash(scope, key))
  }

  /** The jobs that hold the locked keys. */
  holders(): readonly string[] {
    return [...this.#keys.values()].flatMap((key) => (key.jobId === null ? [] : [key.jobId]))
  }

  /** Gives a locked key to a job. */
  take(key: Key | undefined, jobId: string, until: number | null): void {
    if (key === undefined) return
    key.jobId = jobId
    key.until = until
    key.isDirty = true
  }

  /** Lets a key go if this job holds it; one whose window lasts is kept unless `evenWithin`. */
  free(scope: string | null, key: string | null, jobId: string, now: number, evenWithin = false): void {
    if (scope === null || key === null) return
    const held = this.get(scope, key)
    if (held?.jobId !== jobId || (!evenWithin && held.until !== null && held.until > now)) return
    held.jobId = null
    held.until = null
    held.isDirty = true
  }

  async write(): Promise<void> {
    const dirty = [...this.#keys.values()].filter((key) => key.isDirty).sort((a, b) => (a.hash < b.hash ? -1 : 1))
    if (dirty.length === 0) return
    const rowOf = (key: Key) => ({
      key_hash: key.hash,
      scope: key.scope,
      unique_key: key.key,
      job_id: key.jobId,
      until_at: key.until,
    })
    const fresh = dirty.filter((key) => !key.isStored && key.jobId !== null)
    const moved = dirty.filter((key) => key.isStored && key.jobId !== null)
    const freed = dirty.filter((key) => key.isStored && key.jobId === null)
    if (fresh.length > 0) {
      const { changes } = await this.#tx.query(INSERT, [rowsJson(fresh.map(rowOf))])
      // Somebody else took one of them meanwhile: the next try sees who.
      if (changes < fresh.length) throw new Restart('a key was taken meanwhile')
    }
    if (moved.length > 0) await this.#tx.query(UPDATE, [rowsJson(moved.map(rowOf))])
    if (freed.length > 0) await this.#tx.query(DELETE, [rowsJson(freed.map(({ hash }) => ({ key_hash: hash })))])
  }
}
