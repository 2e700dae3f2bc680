/** A peer that cannot be measured is left out for its own reason alone. */
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { type Absences, absenceOf } from '../../bench/peers.ts'
import { sharedRedisFault } from '../../bench/redis.ts'
import type { Side } from '../../bench/scenario.ts'

describe('a peer is absent', () => {
  const none: Absences = { scripts: new Map(), redis: undefined, durableRedis: undefined }
  const bullmq = (settings: Side['settings']): Side => ({ name: 'BullMQ', script: 'bullmq', settings })

  test.each([
    ['on Redis, when none answers', { backend: 'redis' }, 'no Redis'],
    ['on a Redis of its own, when that cannot be started', { backend: 'redis', durable: true }, 'no redis-server'],
    ['on PostgreSQL, never for want of a Redis', { backend: 'postgres' }, undefined],
  ])('%s', (_, settings, why) => {
    const absences = { ...none, redis: 'no Redis', durableRedis: 'no redis-server' }

    expect(absenceOf(bullmq(settings), absences)).toBe(why)
    expect(absenceOf({ ...bullmq({ ...settings, side: 'bullmq' }), script: 'pair' }, absences)).toBe(why)
  })

  test('with the reason why its package is', () => {
    const absences = { ...none, scripts: new Map([['bullmq', 'it does not load']]) }

    expect(absenceOf(bullmq({ backend: 'postgres' }), absences)).toBe('it does not load')
    expect(absenceOf({ ...bullmq({}), script: 'sidequest' }, absences)).toBeUndefined()
  })

  test('in words that say where no Redis answers', async () => {
    const port = await closedPort()

    expect(await sharedRedisFault(port)).toMatch(
      new RegExp(`^Redis does not answer at 127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`),
    )
  })
})

/** A port that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}
