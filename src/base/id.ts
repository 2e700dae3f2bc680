/**
 * UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, 12 bits (`rand_a`) that count, 62 random bits (`rand_b`). The counter is
 * RFC 9562 §6.2 method 1: it begins each millisecond at a random number of 11 bits, its top bit 0 to leave room, and when
 * it is full the time moves on by one millisecond. So within one process ids strictly increase: rows of one producer keep
 * their order and inserts go to the end of the index. Between processes the 62 bits, new for each id, keep ids apart:
 * with a million ids in one millisecond and one state of the counter, the chance of a collision is 1 in 10 million.
 */
import { randomFillSync } from 'node:crypto'

const POOL_BYTES = 4096
const pool = Buffer.allocUnsafe(POOL_BYTES)
let used = POOL_BYTES
let lastMs = 0
let counter = 0

const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

/** Returns a new id. Never goes back, also when the wall clock does. */
export function newId(nowMs: number = Date.now()): string {
  if (used + 10 > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  if (nowMs > lastMs) {
    lastMs = nowMs
    counter = ((byte() << 8) | byte()) & 0x7ff
  } else if (++counter > 0xfff) {
    lastMs++
    counter = ((byte() << 8) | byte()) & 0x7ff
  }
  const time = lastMs.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${hex((byte() & 0x3f) | 0x80)}${hex(byte())}-${hex(byte())}${hex(byte())}${hex(byte())}${hex(byte())}${hex(byte())}${hex(byte())}`
}

function byte(): number {
  return pool[used++] ?? 0
}

function hex(value: number): string {
  return HEX[value] ?? '00'
}
