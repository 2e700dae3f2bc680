import { expect, test } from 'vitest'
import { isolateArgs } from './exec-args.ts'

test.each<[string, readonly string[], readonly string[]]>([
  ['keeps loaders and conditions', ['--import', 'tsx', '-C', 'dev'], ['--import', 'tsx', '-C', 'dev']],
  [
    'leaves the inspector to the worker',
    ['--inspect', '--inspect-brk=9229', '--enable-source-maps'],
    ['--enable-source-maps'],
  ],
  ['leaves out what is run, with its text', ['--input-type=module', '-e', 'code', '--no-warnings'], ['--no-warnings']],
  ['leaves out watching and testing', ['--watch', '--watch-path', 'src', '--test'], []],
  ['leaves out the memory of the worker', ['--max-old-space-size=4096', '--max_old_space_size=1'], []],
])('%s', (_, own, kept) => {
  expect(isolateArgs(own, undefined)).toEqual([...kept, '--disable-sigusr1'])
})

test('sets the limit', () => {
  expect(isolateArgs(['--max-old-space-size=4096'], 64)).toEqual(['--disable-sigusr1', '--max-old-space-size=64'])
})
