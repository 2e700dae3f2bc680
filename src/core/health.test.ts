import { describe, expect, it } from 'vitest'
import { readHealth, readStatus, type WorkerHealth } from './health.ts'

const HEALTH: WorkerHealth = {
  rssBytes: 60_000_000,
  pssBytes: null,
  heapBytes: 20_000_000,
  cpu: 0.5,
  loopDelayP50Ms: 0.1,
  loopDelayP99Ms: 3,
  storeAnsweredMs: 12,
  jobsDone: 7,
  node: '24.21.0',
}

describe('readHealth', () => {
  it('gives back what was stored, with and without a share of memory', () => {
    for (const health of [HEALTH, { ...HEALTH, pssBytes: 30_000_000 }]) {
      expect(readHealth(JSON.stringify(health))).toEqual(health)
    }
  })

  it('leaves out what a later version adds', () => {
    expect(readHealth(JSON.stringify({ ...HEALTH, fans: 3 }))).toEqual(HEALTH)
  })

  it.each([
    null,
    undefined,
    7,
    '',
    '{',
    'null',
    '[]',
    '{}',
    JSON.stringify({ ...HEALTH, cpu: 'half' }),
    JSON.stringify({ ...HEALTH, pssBytes: 'many' }),
    JSON.stringify({ ...HEALTH, node: 24 }),
    '{"rssBytes":1e999}',
  ])('is null for %s', (stored) => {
    expect(readHealth(stored)).toBeNull()
  })
})

describe('readStatus', () => {
  it.each(['running', 'paused', 'draining'])('knows %s', (status) => {
    expect(readStatus(status)).toBe(status)
  })

  it.each([null, undefined, 'asleep', 7])('takes %s for running', (stored) => {
    expect(readStatus(stored)).toBe('running')
  })
})
