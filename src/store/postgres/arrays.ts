/**
 * Arrays in PostgreSQL's binary form, as one parameter: no quoting, no hexadecimal, half the bytes of the text form. The
 * layout (https://doxygen.postgresql.org/arrayfuncs_8c_source.html, array_recv): dimensions, has-nulls, element type, then
 * length and lower bound of the one dimension; then each element by its length, -1 for null.
 */

const HEADER = 20
const TEXT = 25
const BIGINT = 20
const BYTEA = 17
const TID = 27

/** A `text[]`. */
export function textArray(values: readonly (string | null)[]): Buffer {
  let size = HEADER
  for (const value of values) size += 4 + (value === null ? 0 : Buffer.byteLength(value))
  const buffer = begin(size, TEXT, values.length)
  let at = HEADER
  for (const value of values) {
    if (value === null) at = buffer.writeInt32BE(-1, at)
    else {
      const length = buffer.write(value, at + 4)
      buffer.writeInt32BE(length, at)
      at += 4 + length
    }
  }
  return buffer
}

/** A `bigint[]`. The values are whole numbers within ±2^53. */
export function bigintArray(values: readonly (number | null)[]): Buffer {
  let size = HEADER
  for (const value of values) size += value === null ? 4 : 12
  const buffer = begin(size, BIGINT, values.length)
  let at = HEADER
  for (const value of values) {
    if (value === null) at = buffer.writeInt32BE(-1, at)
    else {
      buffer.writeInt32BE(8, at)
      buffer.writeInt32BE(Math.floor(value / 2 ** 32), at + 4)
      at = buffer.writeUInt32BE(value >>> 0, at + 8)
    }
  }
  return buffer
}

/** A `tid[]` of places as `parserOf` gives them: page × 65,536 + line. */
export function spotArray(spots: readonly (number | null)[]): Buffer {
  let size = HEADER
  for (const spot of spots) size += spot === null ? 4 : 10
  const buffer = begin(size, TID, spots.length)
  let at = HEADER
  for (const spot of spots) {
    at = buffer.writeInt32BE(spot === null ? -1 : 6, at)
    if (spot === null) continue
    at = buffer.writeUInt32BE(Math.floor(spot / 65_536), at)
    at = buffer.writeUInt16BE(spot % 65_536, at)
  }
  return buffer
}

/** A `bytea[]`. */
export function bytesArray(values: readonly (Uint8Array | null)[]): Buffer {
  let size = HEADER
  for (const value of values) size += 4 + (value === null ? 0 : value.byteLength)
  const buffer = begin(size, BYTEA, values.length)
  let at = HEADER
  for (const value of values) {
    at = buffer.writeInt32BE(value === null ? -1 : value.byteLength, at)
    if (value === null) continue
    buffer.set(value, at)
    at += value.byteLength
  }
  return buffer
}

function begin(size: number, type: number, count: number): Buffer {
  const buffer = Buffer.allocUnsafe(size)
  buffer.writeInt32BE(1, 0)
  buffer.writeInt32BE(1, 4)
  buffer.writeInt32BE(type, 8)
  buffer.writeInt32BE(count, 12)
  buffer.writeInt32BE(1, 16)
  return buffer
}
