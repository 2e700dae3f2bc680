/** What is said to workers and nodes through the store, from any machine. */

/** Everything that a message may ask for. */
export const MESSAGE_VERBS = ['pause', 'resume', 'stop', 'restart'] as const

/** What a message asks for: claim nothing, claim again, end, or end and be replaced. */
export type MessageVerb = (typeof MESSAGE_VERBS)[number]

/** A message to leave. */
export interface NewMessage {
  /** The id of a worker or a node, whether it lives or not. */
  readonly to: string
  readonly verb: MessageVerb
  /** Who asks, for people to read. */
  readonly by: string
  /** For how long it may be taken, in milliseconds. */
  readonly ttlMs: number
}

/** A message that was taken. */
export interface Message {
  readonly to: string
  readonly verb: MessageVerb
  readonly by: string
  readonly postedAt: number
  readonly expiresAt: number
}

/** So many messages are given at once. */
export const MESSAGES_AT_ONCE = 100

/** The verb that was stored; null for one that this version does not know. */
export function readVerb(stored: unknown): MessageVerb | null {
  return MESSAGE_VERBS.find((verb) => verb === stored) ?? null
}
