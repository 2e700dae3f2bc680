/**
 * A server cuts off whoever sends a packet larger than its `max_allowed_packet`, without a word that would tell it from a server that
 * is away, and what was sent would be sent again and again. So no such packet is sent: it is refused here as the server names it.
 */

/** What a packet has beside its values: less than this, and less than this for each of them. */
const HEAD_BYTES = 1_024
const HEAD_OF_VALUE_BYTES = 16
/** A UTF-16 unit takes no more in UTF-8. */
const MOST_OF_UNIT = 3
/** The number and the word of both kinds of server. */
const TOO_LARGE = { errno: 1153, code: 'ER_NET_PACKET_TOO_LARGE' } as const

/** The server's own error, `ER_NET_PACKET_TOO_LARGE`, where these values make more than `maxBytes`; null where they do not. Cost: O(values). */
export function packetFault(values: readonly unknown[], maxBytes: number): Error | null {
  if (!(lengthOf(values, mostOf) > maxBytes)) return null
  const bytes = lengthOf(values, Buffer.byteLength)
  if (bytes <= maxBytes) return null
  const message = `it takes a packet of ${bytes} bytes, and max_allowed_packet is ${maxBytes} on this server`
  return Object.assign(new Error(message), TOO_LARGE)
}

/** Without a look at each character: most packets are far smaller. */
function mostOf(text: string): number {
  return text.length * MOST_OF_UNIT
}

function lengthOf(values: readonly unknown[], ofText: (text: string) => number): number {
  let bytes = HEAD_BYTES
  for (const value of values) {
    bytes += HEAD_OF_VALUE_BYTES
    if (typeof value === 'string') bytes += ofText(value)
    else if (value instanceof Uint8Array) bytes += value.byteLength
  }
  return bytes
}
