/**
 * Whether hints really come through, asked of the way they take: `LISTEN` may be answered all the same where nothing will ever be
 * heard, behind a pooler in transaction mode that nobody told us of, or on a connection whose other end has gone.
 *
 * A probe is a hint of this process to itself, sent from another connection while the listening one rests: on the listening
 * connection a pooler would deliver it with the answer of its own statement. One at first, then one a minute.
 */
import type { Clock } from '../../base/clock.ts'
import { newId } from '../../base/id.ts'
import { StoreError } from '../../core/errors.ts'
import type { Diagnosis } from '../contract/index.ts'
import { warning } from '../sql/diagnose.ts'
import { Connection } from './connection.ts'
import { translateError } from './errors.ts'
import { describeTarget, type PostgresSettings } from './options.ts'

const WORD = 'probe '
const EACH_MS = 60_000
/** How long a probe may be on its way. */
const ANSWER_MS = 5_000
/** How long asking once may take. */
const ONCE_MS = 2_000

/** Sends a notification by any connection but the listening one. */
export type Notify = (channel: string, payload: string) => Promise<unknown>

/** Asks again and again while somebody listens. */
export class HintProbe {
  readonly #clock: Clock
  readonly #send: (mark: string) => Promise<unknown>
  readonly #onAnswer: (isHeard: boolean) => void
  readonly #mark = WORD + newId()
  /** The probe that is on its way. */
  #asked: symbol | undefined
  #cancel: (() => void) | undefined

  /** `onAnswer`: called once for each probe that was sent. */
  constructor(clock: Clock, send: (mark: string) => Promise<unknown>, onAnswer: (isHeard: boolean) => void) {
    this.#clock = clock
    this.#send = send
    this.#onAnswer = onAnswer
  }

  /** Begins anew, with a probe at once. */
  start(): void {
    this.stop()
    this.#ask()
  }

  stop(): void {
    this.#asked = undefined
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** What was heard; false when it is no probe, of ours or of others. */
  heard(payload: string): boolean {
    if (!payload.startsWith(WORD)) return false
    // One of ours that comes when nobody waits for it any more is late.
    if (payload === this.#mark && this.#asked !== undefined) this.#answer(true)
    return true
  }

  #ask(): void {
    const asked = Symbol('asked')
    this.#asked = asked
    const after = (act: () => void) => () => {
      // It was heard before the call that sent it was answered, or nobody waits for it any more.
      if (this.#asked === asked) act()
    }
    // From when it is on its way: a call may wait for a connection. One that cannot be sent says nothing about what is heard.
    void this.#send(this.#mark).then(
      after(() => {
        this.#cancel = this.#clock.after(ANSWER_MS, () => {
          // What came while this process stood still is read first.
          setImmediate(after(() => this.#answer(false)))
        })
      }),
      after(() => this.#next()),
    )
  }

  #answer(isHeard: boolean): void {
    if (isHeard) this.#next()
    else this.stop()
    this.#onAnswer(isHeard)
  }

  #next(): void {
    this.stop()
    this.#cancel = this.#clock.after(EACH_MS, () => this.#ask())
  }
}

/** What `doctor` says when a hint does not come through, asked once. Never rejects. */
export async function diagnoseHints(settings: PostgresSettings, notify: Notify): Promise<readonly Diagnosis[]> {
  // Who told us of the pooler knows.
  if (settings.pooler === 'transaction') return []
  const isHeard = await hintsComeThrough(settings, notify).catch((error: unknown) => {
    const known = translateError(error, describeTarget(settings))
    return known instanceof StoreError ? known.message : String(known)
  })
  if (isHeard === true) return []
  const why = isHeard === false ? `it did not come within ${ONCE_MS / 1000} s` : isHeard
  return [
    warning(
      'HINTS_UNHEARD',
      `no hint comes through by NOTIFY (${why}): an idle worker finds a new job only when it polls`,
      'Behind a pooler in transaction mode add pooler=transaction to the URL; else see what stands between this machine and the server.',
    ),
  ]
}

async function hintsComeThrough(settings: PostgresSettings, notify: Notify): Promise<boolean> {
  const channel = `millrace probe ${newId()}`
  const connection = await Connection.open(settings, settings.deadlineMs)
  const heard = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => heard.resolve(false), ONCE_MS)
  connection.onNotification(() => heard.resolve(true))
  connection.onEnd(() => heard.resolve(false))
  const asked = async () => {
    await connection.run(listenTo(channel))
    await notify(channel, 'probe')
    return heard.promise
  }
  try {
    return await Promise.race([asked(), heard.promise])
  } finally {
    clearTimeout(timer)
    await connection.close()
  }
}

/** The statement that listens to a channel. */
export function listenTo(channel: string): string {
  return `LISTEN "${channel.replaceAll('"', '""')}"`
}
