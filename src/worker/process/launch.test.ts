import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { inheritedFlags, launch } from './launch.ts'

/** What this process has open; not every system has /proc. */
const OPEN = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd'

test('a process that cannot be started leaves no descriptor behind', () => {
  // No system takes an environment with a zero byte in it.
  const program = { file: 'worker.mjs', env: { BAD: 'a\0b' } }
  const before = readdirSync(OPEN).length

  for (let i = 0; i < 5; i++) expect(() => launch(program, `test-${i}`)).toThrow()

  expect(readdirSync(OPEN)).toHaveLength(before)
})

test.each<readonly [given: readonly string[], kept: readonly string[]]>([
  [
    ['--max-old-space-size=100', '--import', './tracing.mjs'],
    ['--max-old-space-size=100', '--import', './tracing.mjs'],
  ],
  [
    ['-r', 'x', '--enable-source-maps', '--conditions=dev'],
    ['-r', 'x', '--enable-source-maps', '--conditions=dev'],
  ],
  [['--inspect', '--inspect-brk=9229', '--inspect-port=0', '--disable-sigusr1'], []],
  [['--input-type=module', '-e', 'await Millrace.supervise({ entry })', '--no-warnings'], ['--no-warnings']],
  [['--eval=Millrace.supervise({ entry })'], []],
  [['-pe', 'Millrace.supervise({ entry })'], []],
  [['--test', '--test-isolation=process', '--watch', '--watch-path=src', '--no-warnings'], ['--no-warnings']],
])('of the flags %j a worker gets %j, never the program of its supervisor', (given, kept) => {
  expect(inheritedFlags(given)).toEqual(kept)
})
