/** Deciding which sealed fields of a row need another key, and sealing them anew. What a store calls for each row. */
import { MillraceError } from '../core/errors.ts'
import type { Codec, SealedField } from './codec.ts'

/** One sealed field of a stored job. `history:N`, the error of an earlier attempt, was sealed as `error`. */
export interface RekeyField {
  readonly field: SealedField['field'] | `history:${number}`
  readonly epoch: number
  readonly bytes: Uint8Array
}

/** The sealed fields of one stored job. */
export interface RekeyRow<F extends RekeyField = RekeyField> {
  readonly id: string
  readonly name: string
  readonly fields: readonly F[]
}

/** What is to be written back, and what could not be opened. */
export interface RekeyResult<F extends RekeyField = RekeyField> {
  /** The fields with new bytes; empty when the row is left as it is. */
  readonly changed: readonly F[]
  /** Fields that do not open with the key they name; they are left as they are. */
  readonly unreadable: readonly F['field'][]
  /** Names of keys that the ring does not have. */
  readonly missingKids: readonly string[]
}

/** Seals anew what is in the clear or under another key than the active one. Doing it again changes nothing. */
export async function rekeyRow<F extends RekeyField>(codec: Codec, row: RekeyRow<F>): Promise<RekeyResult<F>> {
  const changed: F[] = []
  const unreadable: F['field'][] = []
  const missingKids = new Set<string>()
  for (const each of row.fields) {
    if (!codec.needsRekey(each.bytes)) continue
    const field = each.field.startsWith('history:') ? 'error' : (each.field as SealedField['field'])
    try {
      const place = { jobId: row.id, jobName: row.name, field, epoch: each.epoch }
      changed.push({ ...each, bytes: await codec.rekey(place, each.bytes) })
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      if (error.code === 'KEY_UNKNOWN') missingKids.add(String(error.fields.kid))
      else if (error.code === 'PAYLOAD_UNREADABLE') unreadable.push(each.field)
      else throw error
    }
  }
  return { changed, unreadable, missingKids: [...missingKids] }
}
