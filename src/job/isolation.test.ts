import { expect, test } from 'vitest'
import { parseIsolation } from './isolation.ts'

test.each([
  ['none', undefined],
  ['thread', { in: 'thread', memoryMib: undefined }],
  ['process', { in: 'process', memoryMib: undefined }],
  [{ in: 'thread' }, { in: 'thread', memoryMib: undefined }],
  [
    { in: 'process', memory: '128mb' },
    { in: 'process', memoryMib: 122 },
  ],
  [
    { in: 'process', memory: '128mib' },
    { in: 'process', memoryMib: 128 },
  ],
  [
    { in: 'thread', memory: 64 * 2 ** 20 },
    { in: 'thread', memoryMib: 64 },
  ],
] as const)('%j is %j', (option, isolation) => {
  expect(parseIsolation(option, 'job')).toEqual(isolation)
})

test.each([
  ['fiber', 'DEFINITION_INVALID'],
  [null, 'DEFINITION_INVALID'],
  [true, 'DEFINITION_INVALID'],
  [{ in: 'none' }, 'DEFINITION_INVALID'],
  [{ in: 'thread', memory: '1mb' }, 'DEFINITION_INVALID'],
  [{ in: 'thread', memory: 'lots' }, 'SIZE_INVALID'],
  [{ in: 'thread', memroy: '64mb' }, 'OPTION_UNKNOWN'],
])('%j is refused', (option, code) => {
  expect(() => parseIsolation(option as never, 'job')).toThrow(expect.objectContaining({ code }))
})
