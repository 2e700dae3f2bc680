import { expect, test } from 'vitest'
import { inheritedFlags } from './node-flags.ts'

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
  [['--input-type', 'module', '--eval', 'await Millrace.supervise({ entry })', '--no-warnings'], ['--no-warnings']],
  [
    ['--eval', '', '-p', '-e', '1', '--title', 'jobs'],
    ['--title', 'jobs'],
  ],
  [
    ['--inspect-port', '0', '--debug-port', '0', '-C', 'dev'],
    ['-C', 'dev'],
  ],
  [
    ['--test-name-pattern', 'a b', '--watch-path', 'src', '--env-file', '.env'],
    ['--env-file', '.env'],
  ],
  [['--eval=Millrace.supervise({ entry })'], []],
  [['-pe', 'Millrace.supervise({ entry })'], []],
  [['--test', '--test-isolation=process', '--watch', '--watch-path=src', '--no-warnings'], ['--no-warnings']],
])(
  'of the flags %j a child gets %j, never the program of its parent, nor the value of a flag that it does not get',
  (given, kept) => {
    expect(inheritedFlags(given)).toEqual(kept)
  },
)
