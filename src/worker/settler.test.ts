import { expect, test } from 'vitest'
import { type Outcome, Settler } from './settler.ts'

/** An outcome that is told from others by its id. */
function outcome(id: string): Outcome {
  const settlement = { id, epoch: 1, runMs: 1, to: 'completed', result: null } as const
  // The settler looks at the settlement alone.
  return { settlement } as Outcome
}

test('what ends while an exchange without outcomes is under way is no part of it', () => {
  const settler = new Settler()

  const batch = settler.take()
  settler.add(outcome('a'))

  expect(batch).toEqual([])
  expect(settler.take().map(({ settlement }) => settlement.id)).toEqual(['a'])
})

test('an exchange without outcomes that fails puts nothing back twice', () => {
  const settler = new Settler()

  const batch = settler.take()
  settler.add(outcome('a'))
  settler.putBack(batch)

  expect(settler.take().map(({ settlement }) => settlement.id)).toEqual(['a'])
})
