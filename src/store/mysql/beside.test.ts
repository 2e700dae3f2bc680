import { expect, test } from 'vitest'
import { LEDGER_STATEMENTS } from '../sql/ledger.ts'
import type { Session } from '../sql/session.ts'
import { lockingFound } from './beside.ts'
import type { Beside } from './looks.ts'

test('behind a look that failed no other is begun until the rollback to the savepoint', async () => {
  const sent: unknown[] = []
  let looks = 0
  let isUp = false
  const own: Session = {
    async query(statement) {
      sent.push(statement)
      return { rows: [], changes: 0 }
    },
  }
  const look: Beside['seen'] = async () => {
    looks++
    if (!isUp) throw new Error('no answer')
    return [['a', 0]]
  }
  const session = lockingFound(own, { seen: look, committed: look })
  const lock = () => session.query(LEDGER_STATEMENTS.LOCK_JOBS, [['a']])

  const answers = await Promise.allSettled([lock(), lock(), session.query('INSERT')])
  const sentBefore = [...sent]
  const looksBefore = looks
  isUp = true
  await session.query('ROLLBACK TO SAVEPOINT row_guard')
  await lock()

  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(answers).toMatchObject(answers.map(() => ({ reason: { message: 'no answer' } })))
  expect([sentBefore, looksBefore]).toEqual([[], 1])
  expect(sent).toEqual(['ROLLBACK TO SAVEPOINT row_guard', LEDGER_STATEMENTS.LOCK_JOBS])
})
