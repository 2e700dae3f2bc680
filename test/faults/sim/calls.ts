/** What calls to the store are called, and which fate falls on one. */
import type { ExchangeRequest } from '../../../src/store/contract/index.ts'
import { numberOf } from './ledgers.ts'
import { FATES, type Fate, type Plan } from './plan.ts'
import type { Actor } from './world.ts'

/** What a call is called: a heartbeat in another's name is a keep. */
export function nameOf(actor: Actor, operation: string, [workerId]: readonly unknown[]): string {
  return operation === 'jobs.extend' && workerId !== actor.name ? 'keep' : operation
}

/** The same, and of an exchange what it does. */
export function kindOf(actor: Actor, operation: string, args: readonly unknown[]): string {
  if (operation !== 'jobs.exchange') return nameOf(actor, operation, args)
  // As it is in the contract.
  const { settle, claim } = args[0] as ExchangeRequest
  if (settle.length === 0) return `${operation} that claims`
  return claim === undefined ? `${operation} that settles` : `${operation} that settles and claims`
}

/** Which job a call is about first, so that what befalls it does not hang on how many calls there were about other jobs. */
export function subjectOf(args: readonly unknown[]): string {
  for (const arg of args) {
    const settle = (arg as Partial<ExchangeRequest> | null)?.settle
    const [first] = (Array.isArray(arg) ? arg : (settle ?? [arg])) as readonly unknown[]
    const id = typeof first === 'object' && first !== null && 'id' in first ? first.id : undefined
    if (typeof id === 'string' && id.startsWith('0')) return ` of job ${numberOf(id)}`
  }
  return ''
}

/** The fate that a number in [0, 1) falls on, most often none. */
export function drawn(rates: Plan['rates'], draw: number): Fate | undefined {
  let end = 0
  return FATES.find((fate) => {
    end += rates[fate]
    return draw < end
  })
}
