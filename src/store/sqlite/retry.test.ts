import { expect, test } from 'vitest'
import { ConfigError } from '../../core/errors.ts'
import { retryNow } from './retry.ts'

/** What SQLite answers while another process recovers the log. */
const RECOVERING = Object.assign(new Error('database is locked'), { code: 'ERR_SQLITE_ERROR', errcode: 261 })

test('goes on as soon as the lock is gone', () => {
  let tries = 0
  const answer = retryNow(() => {
    if (++tries < 3) throw RECOVERING
    return 'read'
  }, 30_000)
  expect([answer, tries]).toEqual(['read', 3])
})

test('gives up after its patience, and at once on anything else', () => {
  let tries = 0
  const fails = (error: Error) => () => {
    tries++
    throw error
  }
  expect(() => retryNow(fails(RECOVERING), 20)).toThrow(RECOVERING)
  expect(tries).toBeGreaterThan(1)
  tries = 0
  expect(() => retryNow(fails(new TypeError('other')), 20)).toThrow('other')
  expect(() => retryNow(fails(new ConfigError('CONFIG_INVALID', 'ours')), 20)).toThrow('ours')
  expect(tries).toBe(2)
})
