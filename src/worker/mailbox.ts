/**
 * What is said to a worker or a node from afar. Looked for every two seconds, and when the store hints that something has changed,
 * but then twice a second at most: under load every commit is a hint.
 */
import type { Clock } from '../base/clock.ts'
import { Loop } from '../base/loop.ts'
import type { Service } from '../base/service.ts'
import type { Message, Store } from '../store/contract/index.ts'

/** What is listened with. */
export interface MailboxParts {
  readonly store: () => Promise<Store> | Store
  readonly clock: Clock
  /** Whose messages these are: a worker's id or a node's. */
  readonly to: string
  readonly onMessage: (message: Message) => void
  readonly onError: (error: unknown) => void
}

const LOOK_MS = 2_000
const HINTED_MS = 500

/** Takes the messages for one id until it is stopped. */
export class Mailbox implements Service {
  readonly loop: Loop
  readonly #parts: MailboxParts
  #lookedAt = 0
  #isLooking = false
  /** In the look under way, which may have come too early for what changed. */
  #wasHinted = false
  #unsubscribe: (() => void) | undefined

  constructor(parts: MailboxParts) {
    this.#parts = parts
    this.loop = new Loop({ clock: parts.clock, onError: parts.onError, step: () => this.#look() })
  }

  start(): void {
    this.loop.start(LOOK_MS / 4)
  }

  async stop(): Promise<void> {
    await this.loop.stop()
    // After the last look, which may have been the first.
    this.#unsubscribe?.()
  }

  async #look(): Promise<number> {
    const { store, clock, to, onMessage } = this.#parts
    const opened = await store()
    this.#unsubscribe ??= opened.wake.subscribe(() => {
      // A loop that is woken in a round does the next one at once.
      if (this.#isLooking) this.#wasHinted = true
      else this.loop.wake(Math.max(0, HINTED_MS - (clock.monotonic() - this.#lookedAt)))
    })
    this.#lookedAt = clock.monotonic()
    this.#wasHinted = false
    this.#isLooking = true
    const messages = await opened.cluster.take(to).finally(() => {
      this.#isLooking = false
    })
    for (const message of messages) onMessage(message)
    return this.#wasHinted ? HINTED_MS : LOOK_MS
  }
}
