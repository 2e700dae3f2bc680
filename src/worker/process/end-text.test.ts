import { expect, test } from 'vitest'
import { endText } from './end-text.ts'
import type { ProcessEnd } from './worker-process.ts'

const END: ProcessEnd = { code: null, signal: null, livedMs: 1, isDrained: false, failure: undefined }
const FAILURE = { kind: 'failed', code: 'STORE_URL', message: 'ftp: is no store', isFinal: true } as const

test.each<readonly [what: string, end: Partial<ProcessEnd>, killedFor: string | undefined, text: string]>([
  [
    'its own word, whatever else happened',
    { code: 3, failure: FAILURE },
    'it was slow',
    'ftp: is no store (STORE_URL)',
  ],
  ['why it was killed', { signal: 'SIGKILL' }, 'it was slow', 'was killed: it was slow'],
  ['an orderly stop', { code: 0, isDrained: true }, undefined, 'stopped in good order'],
  ['process.exit()', { code: 0 }, undefined, 'exited with 0 in the midst of its work'],
  ['an exit code', { code: 134 }, undefined, 'exited with 134'],
  ['an aborted heap', { signal: 'SIGABRT' }, undefined, 'aborted (SIGABRT): out of heap memory, or a native failure'],
  [
    'a kill by others',
    { signal: 'SIGKILL' },
    undefined,
    'was killed (SIGKILL): by somebody, or by the system for want of memory',
  ],
  ['a native crash', { signal: 'SIGSEGV' }, undefined, 'crashed (SIGSEGV) in native code'],
  ['any other signal', { signal: 'SIGXCPU' }, undefined, 'was ended by SIGXCPU'],
])('tells %s', (_, end, killedFor, text) => {
  expect(endText({ ...END, ...end }, killedFor)).toBe(text)
})
