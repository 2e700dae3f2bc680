/** How the attempts of a random sequence end. */
import type { Lease, Settlement } from '../contract/index.ts'
import { bytes } from './fixture.ts'

/** The settlement of a lease by the number of its kind, 0 to `KINDS` - 1. */
export function settlementOf(lease: Lease, kind: number, delayMs: number, runMs: number): Settlement {
  const error = bytes(`error ${'e'.repeat(delayMs % 7 === 1 ? 3_000 : 3)}`)
  const outcome = SETTLEMENTS[kind] ?? SETTLEMENTS[0]
  return { id: lease.id, epoch: lease.epoch, runMs, ...outcome(delayMs, error) }
}

/** Every way to settle, the usual one more often. */
const SETTLEMENTS = [
  () => ({ to: 'completed', result: null }) as const,
  () => ({ to: 'completed', result: null }) as const,
  () => ({ to: 'completed', result: null }) as const,
  (_: number, result: Uint8Array) => ({ to: 'completed', result }) as const,
  (delayMs: number, error: Uint8Array) => ({ to: 'retrying', delayMs, error }) as const,
  (_: number, error: Uint8Array) => ({ to: 'failed', reason: 'exhausted', error }) as const,
  () => ({ to: 'failed', reason: 'discarded', error: null }) as const,
  (delayMs: number, error: Uint8Array) => ({ to: 'retrying', delayMs, error, crashed: true }) as const,
  (delayMs: number, error: Uint8Array) =>
    ({ to: 'failed', reason: 'quarantined', error: delayMs > 5 ? error : null, crashed: true }) as const,
  (_: number, error: Uint8Array) => ({ to: 'cancelled', reason: 'requested', error }) as const,
  (delayMs: number) => ({ to: 'scheduled', delayMs }) as const,
  () => ({ to: 'pending' }) as const,
  (delayMs: number) => ({ to: 'blocked', reason: 'key', on: delayMs > 5 ? 'k1' : 'k2' }) as const,
] as const

/** How many kinds there are. */
export const KINDS: number = SETTLEMENTS.length
