/** Putting a body into an envelope under the active key, and taking it out under the key that the envelope names. */
import { PayloadError } from '../core/errors.ts'
import { type Compression, type Envelope, headerOf, NONCE_BYTES } from './envelope.ts'
import { additionalData, type SealedField } from './field.ts'
import { activeKey, type KeyRing, keyOf } from './key-ring.ts'
import { writeNonce } from './xaes.ts'

/** The envelope around the body; plain without keys. Throws PayloadError PAYLOAD_INVALID for a name that has no UTF-8. */
export function sealBody(
  keys: KeyRing | undefined,
  storeId: string,
  field: SealedField,
  compression: Compression | 'none',
  body: Buffer,
): Buffer {
  const key = keys === undefined ? undefined : activeKey(keys)
  const header = headerOf(key?.kid ?? null, compression)
  if (key === undefined) return Buffer.concat([header, body])
  const additional = additionalData(header, storeId, field)
  if (additional === undefined) {
    throw new PayloadError('PAYLOAD_INVALID', 'a job id, job name or field holds half a surrogate pair', {
      hint: 'use well-formed text',
    })
  }
  const nonce = Buffer.allocUnsafe(NONCE_BYTES)
  writeNonce(nonce, 0)
  return Buffer.concat([header, nonce, ...key.xaes.seal(nonce, body, additional)])
}

/** The body, proven unless it was plain, or undefined when it does not open. Throws PayloadError KEY_UNKNOWN. */
export function openEnvelope(
  keys: KeyRing | undefined,
  storeId: string,
  field: SealedField,
  { info: { kid }, header, nonce, body, tag }: Envelope,
): Buffer | undefined {
  if (kid === null) return body
  const key = keys === undefined ? undefined : keyOf(keys, kid)
  if (key === undefined) {
    throw new PayloadError('KEY_UNKNOWN', `stored bytes are sealed with the key ${kid}, which is not in the key ring`, {
      fields: { kid },
      hint: `add the key ${kid} to the key ring`,
    })
  }
  const additional = additionalData(header, storeId, field)
  return additional === undefined ? undefined : key.xaes.open(nonce, body, tag, additional)
}
