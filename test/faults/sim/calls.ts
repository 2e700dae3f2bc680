/** What calls to the store are called, and which fate falls on one. */
import type { ChangeRequest, ExchangeRequest, NewJob } from '../../../src/store/contract/index.ts'
import { numberOf } from './ledgers.ts'
import { FATES, type Fate, type Plan } from './plan.ts'
import type { Actor } from './world.ts'

/** What a call is called: a heartbeat in another's name is a keep. */
export function nameOf(actor: Actor, operation: string, [workerId]: readonly unknown[]): string {
  return operation === 'jobs.extend' && workerId !== actor.name ? 'keep' : operation
}

/** The same, with who calls where that is no worker, and of what does several things which of them. */
export function kindOf(actor: Actor, operation: string, args: readonly unknown[]): string {
  const whose = actor.role === 'worker' ? '' : `${actor.role === 'operator' ? 'an' : 'a'} ${actor.role}'s `
  return whose + nameOf(actor, operation, args) + whichOf(operation, args)
}

/** The arguments are those of the operation that is named. */
function whichOf(operation: string, [first]: readonly unknown[]): string {
  switch (operation) {
    case 'jobs.exchange': {
      const { settle, claim } = first as ExchangeRequest
      if (settle.length === 0) return ' that claims'
      return claim === undefined ? ' that settles' : ' that settles and claims'
    }
    case 'jobs.insert':
      return isOfMany((first as readonly NewJob[])[0]) ? ' of many' : ''
    case 'jobs.changeWhere':
      return ` to ${(first as ChangeRequest).change.kind}`
    default:
      return ''
  }
}

/** Whether a job comes from a call about many: those that are enqueued alone have a tag of their own. */
export function isOfMany(job: NewJob | undefined): boolean {
  return job !== undefined && job.tags === undefined
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
