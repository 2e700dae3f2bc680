/** What a handler leaves running in an isolate, and what the next job there notices of it: nothing. */
import { describe, expect, test } from 'vitest'
import { KINDS, scene } from './scene.ts'

describe.each(KINDS)('what a job has left running in a %s', (_, job) => {
  test('neither writes nor reads the checkpoint of the next one', async () => {
    const { result } = await scene()

    await result(job, 'leavesBranch')

    expect(await result(job, 'meetsBranch')).toEqual([['LEASE_LOST', 'LEASE_LOST'], 'its own'])
  })

  test('is told so, which harms the next one in nothing when nobody catches it', async () => {
    const { result } = await scene()

    await result(job, 'leavesLoop')

    expect(await result(job, 'meetsLoop')).toBe('its own')
  })
})
