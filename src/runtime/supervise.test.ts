import { expect, test } from 'vitest'
import { withConfigured } from './supervise.ts'

test.each([
  [{}, undefined, undefined],
  [{}, {}, undefined],
  [{}, { worker: { maxJobs: 2 } }, 2],
  [{ maxJobs: 3 }, { worker: { maxJobs: 2, drain: false } }, 3],
  [{ maxJobs: 3 }, {}, 3],
] as const)(
  'a node that is told %o by whoever starts it and %o by the configuration replaces a worker after %o jobs',
  (options, config, maxJobs) => {
    expect(withConfigured({ processes: 4, ...options }, config)).toEqual({
      processes: 4,
      ...(maxJobs !== undefined && { maxJobs }),
    })
  },
)

test('a configuration whose workers end when nothing is left is refused for a node', () => {
  expect(() => withConfigured({}, { worker: { drain: true } })).toThrow(
    '`worker.drain` of the configuration is for one process',
  )
})
