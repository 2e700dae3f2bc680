/**
 * UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, 12 bits (`rand_a`) that count, 62 random bits (`rand_b`). The counter is
 * RFC 9562 §6.2 method 1: it begins each millisecond at a random number of 11 bits, its top bit 0 to leave room, and when
 * it is full the time moves on by one millisecond. So within one process ids strictly increase: rows of one producer keep
 * their order and inserts go to the end of the index. Between processes the 62 bits, new for each id, keep ids apart:
 * with a million ids in one millisecond and one state of the counter, the chance of a collision is 1 in 10 million.
 */
import { nodeCrypto } from './builtin.ts'

/** Random bytes are fetched for so many ids at once, as hex digits: 16 of one id are the variant and its random bits. */
const POOL_IDS = 256
const ID_DIGITS = 16
const MAX_COUNT = 0xfff

let digits = ''
let used = 0
let lastMs = 0
let count = 0
/** The first 48 bits and the version, as text, of `lastMs`. */
let prefix = ''

/** Returns a new id. Never goes back, also when the wall clock does. */
export function newId(nowMs: number = Date.now()): string {
  if (used === digits.length) refill()
  const random = digits.slice(used, used + ID_DIGITS)
  used += ID_DIGITS
  if (nowMs > lastMs) begin(nowMs, random)
  else if (++count > MAX_COUNT) begin(lastMs + 1, random)
  return prefix + hex3(count) + tail(random)
}

/**
 * Returns an id for a worker, in the same form. Its random bits are `Math.random`'s: nobody gains by guessing it, and
 * `node:crypto` would be a fifth of an idle worker's memory.
 */
export function newWorkerId(nowMs: number = Date.now()): string {
  const word = () => Math.floor(Math.random() * 2 ** 32).toString(16)
  return prefixOf(nowMs) + hex3(process.pid & MAX_COUNT) + tail((word() + word()).padStart(ID_DIGITS, '0'))
}

function refill(): void {
  digits = nodeCrypto()
    .randomBytes((POOL_IDS * ID_DIGITS) / 2)
    .toString('hex')
  used = 0
}

/** The count of a new millisecond begins at random in the lower half: 2,048 ids at least before it borrows from the next. */
function begin(ms: number, random: string): void {
  lastMs = ms
  prefix = prefixOf(ms)
  count = Number.parseInt(random.slice(-3), 16) & 0x7ff
}

function prefixOf(ms: number): string {
  const time = ms.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7`
}

function hex3(value: number): string {
  return (value + 0x1000).toString(16).slice(1)
}

/** The variant's two bits (10), then 62 random ones. */
function tail(random: string): string {
  const code = random.charCodeAt(0)
  const digit = code < DIGIT_A ? code - DIGIT_0 : code - DIGIT_A + 10
  return `-${VARIANTS[digit & 3]}${random.slice(1, 4)}-${random.slice(4)}`
}

const DIGIT_0 = '0'.charCodeAt(0)
const DIGIT_A = 'a'.charCodeAt(0)
const VARIANTS = '89ab'
