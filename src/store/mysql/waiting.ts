/**
 * Waiting on the server for the next hint. These servers have nothing to listen to, but a statement that sleeps on the server
 * between looks costs its client nothing: one statement looks each 40 ms for four fifths of a second, and ends at the first news.
 * It runs on a connection of its own, which reads what is not committed yet: within one statement it would see nothing new
 * otherwise. What it sees is only a hint: whoever hears of it looks for himself. Notices (notices.ts) are told at the commit: they
 * are looked at with a lock that steps over those whose transaction is open. Who may not lock, as a viewer, does without them.
 *
 * A server whose optimizer looks only once, however often it is told to, is noticed: its news always come with a statement's first
 * look. Then, and while the connection cannot be had, `mayWait` is false, and hints are polled for (wake.ts).
 */
import { int, textOrNull } from '../sql/rows.ts'
import { Connection } from './connection.ts'
import { isUnavailable } from './errors.ts'
import { endThreads } from './late.ts'
import type { MysqlSettings } from './options.ts'

/** How many hints there were, and which job is first in line. */
export interface Known {
  readonly count: number
  readonly head: string | null
}

/** The same, and whether there are notices of callers' commits. */
export interface News extends Known {
  readonly isNoticed: boolean
}

/** An end without news that comes sooner is none: the server does not sleep. In milliseconds; twenty sleeps of 40 are meant. */
const SOONEST_END_MS = 400
/** A statement that is not answered in this time, in milliseconds, ends with its connection. */
const LATE_MS = 5_000
/** So long nobody waits after it went wrong, in milliseconds. */
const AGAIN_MS = 5_000
/** So many news in a row that came with a first look say that there is only one. */
const MAX_DEAF = 3

const COUNT = '(SELECT count FROM millrace_signal WHERE id = IF(v.i > 0, 1, 1))'
const HEAD = '(SELECT id FROM millrace_ready FORCE INDEX (PRIMARY) WHERE state = IF(v.i > 0, 2, 2) LIMIT 1)'
const NOTICE =
  '(SELECT seq FROM millrace_notice FORCE INDEX (PRIMARY) WHERE seq > IF(v.i > 0, 0, 0) LIMIT 1 FOR UPDATE SKIP LOCKED)'
// The first look is at once, then there are twenty more. What is looked for depends on the row, so that it is looked for again.
const LOOKS = "FROM JSON_TABLE('[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]', '$[*]' COLUMNS (i FOR ORDINALITY)) v "
const EACH = `WHERE SLEEP(IF(v.i > 1, 0.04, 0)) = 0 AND (${COUNT} <> ? OR COALESCE(${HEAD}, ?) <> ?`
const WAIT = `SELECT v.i AS i, ${COUNT} AS count, ${HEAD} AS id ${LOOKS}${EACH}) LIMIT 1`
const WAIT_NOTICING = `SELECT v.i AS i, ${COUNT} AS count, ${HEAD} AS id, ${NOTICE} AS seq ${LOOKS}${EACH} OR ${NOTICE} IS NOT NULL) LIMIT 1`

/** How it is known among what the server does. */
const OURS = '%SLEEP(%millrace\\_signal%'

/** The statements whose plans the tests assert. */
export const WAITING_STATEMENTS = { WAIT, WAIT_NOTICING } as const

/** Waits for hints on one connection of its own. */
export class Waiting {
  readonly #settings: MysqlSettings
  #connection: Connection | undefined
  #notBefore = 0
  readonly #hearing = new Hearing()
  #isWaiting = false
  #isClosed = false
  /** The server lets this connection look for notices. */
  #mayNotice = true

  constructor(settings: MysqlSettings) {
    this.#settings = settings
  }

  /** Whether it is worth waiting, rather than asking now and then. */
  get mayWait(): boolean {
    return !this.#hearing.isDeaf && performance.now() >= this.#notBefore && !this.#isClosed
  }

  /** Resolves with what is new, or with null after less than a second. Rejects when the server cannot be asked. `heedsNotices`: they are news. */
  async wait(known: Known, heedsNotices: boolean): Promise<News | null> {
    const late = setTimeout(() => this.#connection?.destroy(), LATE_MS)
    try {
      // The server ends one that was not waited on for long: then nothing is wrong.
      const connection = this.#connection?.isBroken === false ? this.#connection : await this.#connect()
      this.#isWaiting = true
      const start = performance.now()
      const found = await this.#ask(connection, known, heedsNotices)
      if (found === null && performance.now() - start < SOONEST_END_MS) throw new Error('the server does not sleep')
      this.#hearing.heard(found?.look, found?.isNoticed)
      return found
    } catch (error) {
      this.#notBefore = performance.now() + AGAIN_MS
      this.#connection?.destroy()
      this.#connection = undefined
      throw error
    } finally {
      this.#isWaiting = false
      clearTimeout(late)
    }
  }

  /** Ends the connection, and what it waits for: a statement sleeps on without its client, and holds up who drops its tables. */
  async close(): Promise<void> {
    this.#isClosed = true
    const waiting = this.#isWaiting && this.#connection?.isBroken === false ? this.#connection.threadId : undefined
    this.#connection?.destroy()
    // When it cannot be ended, it ends by itself.
    if (waiting !== undefined) await endThreads(this.#settings, [waiting], OURS).catch(() => undefined)
  }

  async #connect(): Promise<Connection> {
    const connection = await Connection.open(this.#settings, LATE_MS)
    // From here on whoever is late, or closes, ends it.
    this.#connection = connection
    this.#mayNotice = true
    if (this.#isClosed) connection.destroy()
    await connection.run('SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED')
    // It is slow on purpose, and nothing for the log of what is slow.
    await connection.run('SET SESSION long_query_time = 10').catch(() => undefined)
    return connection
  }

  async #ask(connection: Connection, known: Known, heedsNotices: boolean): Promise<Found | null> {
    if (!heedsNotices || !this.#mayNotice) return foundBy(connection, WAIT, known)
    try {
      return await foundBy(connection, WAIT_NOTICING, known)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      // Without notices there are still the hints, and the poll.
      this.#mayNotice = false
      return foundBy(connection, WAIT, known)
    }
  }
}

interface Found extends News {
  /** Which look it was, from 1. */
  readonly look: number
}

async function foundBy(connection: Connection, statement: string, { count, head }: Known): Promise<Found | null> {
  const row = (await connection.execute(statement, [count, head ?? '', head ?? ''])).rows[0]
  if (row === undefined) return null
  const isNoticed = row[3] !== undefined && row[3] !== null
  return { look: int(row[0]), count: int(row[1]), head: textOrNull(row[2] ?? null), isNoticed }
}

/** Whether a statement that looks again and again ever sees anything but at its first look. */
export class Hearing {
  #late = 0
  #endedEmpty = false

  get isDeaf(): boolean {
    return this.#late >= MAX_DEAF
  }

  /** A statement ended, at this look, from 1, or without news. A notice may be older than the statement before: that may not have looked for any. */
  heard(look: number | undefined, isNoticed = false): void {
    if (look !== undefined && look > 1) this.#late = 0
    // There was no time between two statements in which so much can happen so often.
    else if (look === 1 && this.#endedEmpty && !isNoticed) this.#late++
    this.#endedEmpty = look === undefined
  }
}
