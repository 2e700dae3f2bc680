import { expect, test } from 'vitest'
import type { Runner } from './runner.ts'
import { stoppingAtConflict } from './transaction.ts'

/** Answers each text in order; one that names an error number fails with it. */
function recorder(): { readonly sent: string[]; readonly runner: Runner } {
  const sent: string[] = []
  const answer = async (text: string) => {
    sent.push(text)
    await new Promise(setImmediate)
    const errno = Number(/\d+/.exec(text)?.[0] ?? 0)
    if (errno > 0) throw Object.assign(new Error(text), { errno })
  }
  return {
    sent,
    runner: { run: answer, execute: (text) => answer(text).then(() => ({ rows: [], changes: 0 })) },
  }
}

test('nothing is sent behind a statement that met a deadlock: it would commit itself', async () => {
  const { sent, runner } = recorder()
  const guarded = stoppingAtConflict(runner)

  const answers = await Promise.allSettled([
    guarded.execute('first', []),
    guarded.execute('deadlock 1213', []),
    guarded.execute('an insert', []),
    guarded.run('another'),
  ])

  expect(sent).toEqual(['first', 'deadlock 1213'])
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected'])
  await expect(guarded.run('later')).rejects.toMatchObject({ errno: 1213 })
})

test.each([1205, 1213])('after %i the way back to the savepoint is sent, and nothing behind it', async (errno) => {
  const { sent, runner } = recorder()
  const guarded = stoppingAtConflict(runner)

  await Promise.allSettled([guarded.execute(`conflict ${errno}`, []), guarded.run('behind')])
  await guarded.run('ROLLBACK TO SAVEPOINT row_guard')

  await expect(guarded.run('later')).rejects.toMatchObject({ errno })
  expect(sent).toEqual([`conflict ${errno}`, 'ROLLBACK TO SAVEPOINT row_guard'])
})

test('an error that leaves the transaction as it was stops nothing', async () => {
  const { sent, runner } = recorder()
  const guarded = stoppingAtConflict(runner)

  await Promise.allSettled([guarded.run('duplicate 1062'), guarded.run('next')])

  expect(sent).toEqual(['duplicate 1062', 'next'])
})
