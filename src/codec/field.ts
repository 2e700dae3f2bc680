/**
 * Which field of which job some bytes belong to, and the additional data that binds a sealed envelope to that place: an
 * envelope moved to another job, name, field or store does not open. Queue, priority, attempts and run time are not
 * bound, since operators change them.
 */
import { MillraceError } from '../core/errors.ts'

/** A stored field. `epoch`, the lease epoch of the attempt that wrote it, is bound for `result` and `step:` fields. */
export interface SealedField {
  readonly jobId: string
  readonly jobName: string
  readonly field: 'payload' | 'result' | 'error' | 'progress' | 'checkpoint' | `log:${number}` | `step:${string}`
  readonly epoch?: number
}

const PREFIX = Buffer.from('millrace-aad-v1', 'latin1')
const LENGTH_BYTES = 4

/**
 * The additional data of an envelope: the prefix, then each part behind its length in four bytes (big endian): header,
 * store id, job id, job name, field, epoch in decimal or nothing. Different parts never give equal bytes. Throws
 * MillraceError INTERNAL when an epoch is missing. Returns undefined for text with half a surrogate pair, which has no
 * UTF-8 of its own.
 */
export function additionalData(header: Uint8Array, storeId: string, field: SealedField): Buffer | undefined {
  const texts = [storeId, field.jobId, field.jobName, field.field, epochText(field)]
  if (!texts.every((text) => text.isWellFormed())) return undefined
  const lengths = texts.map((text) => Buffer.byteLength(text))
  const size = lengths.reduce((sum, each) => sum + LENGTH_BYTES + each, PREFIX.length + LENGTH_BYTES + header.length)
  const out = Buffer.allocUnsafe(size)
  let at = PREFIX.copy(out)
  at = out.writeUInt32BE(header.length, at)
  out.set(header, at)
  at += header.length
  texts.forEach((text, i) => {
    at = out.writeUInt32BE(lengths[i] ?? 0, at)
    at += out.write(text, at)
  })
  return out
}

/** Throws MillraceError INTERNAL when the field is one whose epoch is bound and none is given. */
export function checkEpoch(field: SealedField): void {
  if (isEpochBound(field) && !Number.isSafeInteger(field.epoch)) {
    throw new MillraceError('INTERNAL', `the field ${field.field} of job ${field.jobId} needs its lease epoch`)
  }
}

function epochText(field: SealedField): string {
  checkEpoch(field)
  return isEpochBound(field) ? String(field.epoch) : ''
}

function isEpochBound({ field }: SealedField): boolean {
  return field === 'result' || field.startsWith('step:')
}
