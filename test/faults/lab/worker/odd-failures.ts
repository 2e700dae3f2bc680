/** Handlers that fail in ways that are hard to write down. */
import type { OddFailure } from './kinds.ts'

const FAILURES: Readonly<Record<OddFailure, () => unknown>> = {
  'stack overflow': deeper,
  'rejection of undefined': () => undefined,
  'an error whose getters throw': () =>
    Object.defineProperties(new Error('x'), { message: TRAP, stack: TRAP, name: TRAP, cause: TRAP }),
  'a message of 10 MB': () => new Error('x'.repeat(10_000_000)),
  'a circular error': () => {
    const error = new Error('circular')
    return Object.assign(error, { cause: error, itself: error })
  },
  'a frozen error': () => Object.freeze(new Error('frozen')),
}

const TRAP: PropertyDescriptor = {
  get: () => {
    throw new Error('trapped')
  },
}

/** Rejects, or throws, so. */
export async function failOddly(how: OddFailure): Promise<never> {
  throw FAILURES[how]()
}

/** Never returns: the stack ends first. */
function deeper(): unknown {
  return [deeper()]
}
