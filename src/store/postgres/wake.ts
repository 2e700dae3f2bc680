/**
 * Wake hints between processes: LISTEN and NOTIFY on one connection of their own, opened when somebody listens or the first
 * hint is due that does not travel with an insert.
 *
 * A hint says only that something changed: jobs became claimable, ended, or were asked to stop. The first goes at once; those
 * that follow within 8 to 50 ms become one, those of jobs that ended within 200 ms under load (debounce.ts). One about new jobs is sent right behind their insert, on its connection, before the
 * insert is answered: the listener hears of them a round trip earlier, and no caller waits for it, but that the next call on
 * this connection may by 50 ms. The commit of a hint by itself does not wait for the disk, since a hint may be lost. Our own hints come back to
 * us and are dropped by the sender's mark. Whoever subscribes also polls; the connection is made again when it ends.
 *
 * After a rest a hint rides in the insert itself, and the listener hears of it with the commit, a round trip earlier. Only then:
 * whoever commits a notification holds a lock, one for all databases of the server, until the disk has written, so a busy
 * producer, or many, would wait for each other. A ride that takes long, or does not get that lock in 50 ms, is the last for a
 * minute.
 *
 * Whether hints come through is asked once a minute (hint-probe.ts). Where they do not, another connection is made; where they do
 * not come on that one either, it is tried again in a minute: polls find everything meanwhile.
 */
import { type Clock, systemClock } from '../../base/clock.ts'
import { newId } from '../../base/id.ts'
import { Debounce } from '../sql/debounce.ts'
import type { Session } from '../sql/session.ts'
import { Connection } from './connection.ts'
import { HintProbe, listenTo, type Notify } from './hint-probe.ts'
import type { PostgresSettings } from './options.ts'

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000
/** Between two tries where hints do not come through. */
const DEAF_RETRY_MS = 60_000
/** Connections in a row on which none came through: one may have been at fault itself. */
const DEAF_FROM = 2
const CONNECT_MS = 10_000
/** How long the server may take to answer on this connection; beyond it another is made. */
const ANSWER_MS = 5_000
/** How long closing waits for a connection that is just being made. */
const CLOSE_MS = 1_000
const NOTIFY = 'SELECT pg_notify($1, $2)'
/** It waits for nobody, and no disk: others' notifications hold a lock until they are committed, and the connection is needed again. */
export const NOTIFY_QUIETLY =
  "SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '50', true), pg_notify($1, $2)"
/** Sent by a caller's commit: nobody's mark, since our own workers have not heard of it either. Text, which libraries can read. */
const NOTIFY_WITHIN = `${NOTIFY}::text AS sent`
const NO_MARK = 'commit'
const MAX_CHANNEL_BYTES = 63
/** A process that was silent for so long may let a hint ride. */
const RIDE_REST_MS = 100
/** A ride that took longer met others, or a slow disk. */
const SLOW_RIDE_MS = 25
const NO_RIDE_MS = 60_000

/** The same statement, which begins with the store's time (`t`), with a hint. `count`: how many parameters it has. */
export function riding(text: string, count: number): string {
  const hint = `set_config('lock_timeout', '50', true) AS patience, pg_notify($${count + 1}, $${count + 2})::text AS hint`
  // allow sql: numbers of parameters
  return text.replace(' AS now', ` AS now, ${hint}`)
}

/** Sends and hears hints. */
export class Wake {
  readonly #settings: PostgresSettings
  readonly #clock: Clock
  readonly #channel: string
  readonly #mark = newId()
  readonly #listeners = new Set<() => void>()
  readonly #debounce = new Debounce(() => void this.#send())
  #connection: Promise<Connection | null> | undefined
  #isListening = false
  #isOpen = false
  #probe: HintProbe | undefined
  #deafness = 0
  #cancelRetry: (() => void) | undefined
  #retryMs = FIRST_RETRY_MS
  #toldAt = Number.NEGATIVE_INFINITY
  #noRideBefore = Number.NEGATIVE_INFINITY

  /** `clock`: of probes and of tries to connect again. */
  constructor(settings: PostgresSettings, clock: Clock = systemClock) {
    this.#settings = settings
    this.#clock = clock
    // A channel's name has the length of any name.
    this.#channel = Buffer.from(`millrace:${settings.schema}`).subarray(0, MAX_CHANNEL_BYTES).toString()
  }

  /** `notify`: how a probe is sent. */
  open(notify: Notify): void {
    this.#isOpen = this.#settings.pooler === 'none'
    this.#probe = new HintProbe(
      this.#clock,
      (mark) => notify(this.#channel, mark),
      (isHeard) => this.#probed(isHeard),
    )
  }

  /** Whether hints come through, as far as is known. */
  get delivers(): boolean {
    return this.#settings.pooler === 'none' && this.#deafness < DEAF_FROM
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#probe?.stop()
    this.#debounce.stop()
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#listeners.clear()
    const closing = this.#connection?.then((connection) => connection?.close())
    this.#connection = undefined
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, CLOSE_MS)
    await Promise.race([closing, late.promise])
    clearTimeout(timer)
  }

  /** Tells the others soon. Returns at once. */
  hint(): void {
    if (this.#isOpen) this.#debounce.due()
  }

  /** Tells the others, not as soon under load, that jobs have ended which nothing depends on. */
  ended(): void {
    if (this.#isOpen) this.#debounce.ended()
  }

  /** A claim is answered. `isEnough`: it got all that it asked for, and there is more. */
  found(isEnough: boolean): void {
    this.#debounce.found(isEnough)
  }

  /** Sends a hint behind the call that was just made on this connection. False when it is not the time for one. */
  hintBehind(connection: Connection): boolean {
    if (!this.#isOpen || !this.#debounce.mayTell()) return false
    this.#toldAt = performance.now()
    // One that fails is lost, as the call before it most likely is.
    void connection.queryBeside(NOTIFY_QUIETLY, [this.#channel, this.#mark]).catch(() => undefined)
    return true
  }

  /** What `riding` adds to the parameters of a statement that is about to be sent; null when it is not the time for a ride. */
  ride(): readonly [channel: string, mark: string] | null {
    const now = performance.now()
    if (!this.#isOpen || now < this.#noRideBefore || now - this.#toldAt < RIDE_REST_MS) return null
    if (!this.#debounce.mayTell()) return null
    this.#toldAt = now
    return [this.#channel, this.#mark]
  }

  /** How long a statement with a hint in it took. */
  rode(ms: number): void {
    if (ms > SLOW_RIDE_MS) this.#noRideBefore = performance.now() + NO_RIDE_MS
  }

  /** Tells everybody when the caller's transaction commits. */
  async hintWithin(tx: Session): Promise<void> {
    await tx.query(NOTIFY_WITHIN, [this.#channel, NO_MARK])
  }

  /** Calls `onWake` after hints of other connections until the returned function is called. */
  subscribe(onWake: () => void): () => void {
    this.#listeners.add(onWake)
    if (this.#isListening && this.#listeners.size === 1) this.#probe?.start()
    // Where nothing comes through the next try has its time.
    else if (this.delivers || this.#cancelRetry === undefined) void this.#listen()
    return () => {
      this.#listeners.delete(onWake)
      if (this.#listeners.size === 0) this.#probe?.stop()
    }
  }

  async #send(): Promise<void> {
    this.#toldAt = performance.now()
    const connection = await this.#connected()
    // A hint that cannot be sent is lost: the poll finds what it was about.
    await answered(connection, (one) => one.query(NOTIFY, [this.#channel, this.#mark])).catch(() => undefined)
  }

  async #listen(): Promise<void> {
    if (!this.#isOpen || this.#listeners.size === 0) return
    const connection = await this.#connected()
    if (connection === null) {
      this.#tryLater()
      return
    }
    if (this.#isListening) return
    this.#isListening = true
    try {
      await answered(connection, (one) => one.run(listenTo(this.#channel)))
      this.#retryMs = FIRST_RETRY_MS
      if (this.#isOpen && this.#listeners.size > 0) this.#probe?.start()
      // Whatever happened while nobody listened.
      for (const listener of this.#listeners) listener()
    } catch {
      // Broken or forbidden: the poll beneath carries on, and another try follows.
      connection.destroy()
    }
  }

  /** The one connection; null when it cannot be made now. */
  #connected(): Promise<Connection | null> {
    this.#connection ??= this.#connect()
    return this.#connection
  }

  async #connect(): Promise<Connection | null> {
    try {
      const connection = await Connection.open(this.#settings, CONNECT_MS)
      connection.onNotification((mark) => {
        if (mark === this.#mark || this.#probe?.heard(mark)) return
        for (const listener of this.#listeners) listener()
      })
      connection.onEnd(() => this.#ended())
      await answered(connection, (one) => one.run('SET synchronous_commit = off'))
      return connection
    } catch {
      // Hints may be lost; what the server has to say is told by the calls that need it.
      this.#ended()
      return null
    }
  }

  /** A probe came back, or did not: then what is listened on is of no use. */
  #probed(isHeard: boolean): void {
    this.#deafness = isHeard ? 0 : this.#deafness + 1
    if (!isHeard) void this.#connection?.then((connection) => connection?.destroy())
  }

  #ended(): void {
    this.#connection = undefined
    this.#isListening = false
    this.#probe?.stop()
    this.#tryLater()
  }

  #tryLater(): void {
    if (!this.#isOpen || this.#listeners.size === 0 || this.#cancelRetry !== undefined) return
    this.#cancelRetry = this.#clock.after(this.delivers ? this.#retryMs : DEAF_RETRY_MS, () => {
      this.#cancelRetry = undefined
      void this.#listen()
    })
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2)
  }
}

/** Makes a call, and destroys the connection when the server has not answered it in time, so that the call fails. */
async function answered(connection: Connection | null, call: (connection: Connection) => Promise<unknown>) {
  if (connection === null) return
  const timer = setTimeout(() => connection.destroy(), ANSWER_MS).unref()
  await call(connection).finally(() => clearTimeout(timer))
}
