import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { launch } from './launch.ts'

/** What this process has open; not every system has /proc. */
const OPEN = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd'

test('a process that cannot be started leaves no descriptor behind', () => {
  // No system takes an environment with a zero byte in it.
  const program = { file: 'worker.mjs', env: { BAD: 'a\0b' } }
  const before = readdirSync(OPEN).length

  for (let i = 0; i < 5; i++) expect(() => launch(program, `test-${i}`)).toThrow()

  expect(readdirSync(OPEN)).toHaveLength(before)
})
