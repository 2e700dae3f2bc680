import { describe, expect, it } from 'vitest'
import { ConfigError, StoreError } from '../../core/errors.ts'
import { isConflict, isLost, translateConnectError, translateError } from './errors.ts'
import { flavorOf, refuseOld, sessionLimits } from './prepare.ts'

function serverError(errno: number, sqlState = 'HY000') {
  return Object.assign(new Error('said'), { errno, code: `ER_${errno}`, sqlState, sql: 'SELECT secret' })
}

describe('errors of the server', () => {
  for (const [errno, kind, code] of [
    [1213, 'transient', 'STORE_BUSY'],
    [1205, 'transient', 'STORE_BUSY'],
    [1412, 'transient', 'STORE_BUSY'],
    [1615, 'transient', 'STORE_BUSY'],
    [1969, 'transient', 'STORE_BUSY'],
    [3024, 'transient', 'STORE_BUSY'],
    [1114, 'transient', 'STORE_FULL'],
    [1290, 'transient', 'STORE_READ_ONLY'],
    [1040, 'transient', 'STORE_UNREACHABLE'],
    [1927, 'transient', 'STORE_UNREACHABLE'],
    [1045, 'schema', 'STORE_UNREACHABLE'],
    [1049, 'schema', 'STORE_UNREACHABLE'],
    [1146, 'schema', 'STORE_OLDER'],
    [1142, 'schema', 'STORE_READ_ONLY'],
    [1062, 'constraint', 'STORE_CONSTRAINT'],
    [1406, 'constraint', 'STORE_CONSTRAINT'],
    [4025, 'constraint', 'STORE_CONSTRAINT'],
    [1064, 'schema', 'STORE_CONSTRAINT'],
  ] as const) {
    it(`${errno} is ${kind} ${code}`, () => {
      const error = translateError(serverError(errno), 'mysql h/d')

      expect(error).toMatchObject({ kind, code, fields: { store: 'mysql h/d' } })
      expect(JSON.stringify(error instanceof Error ? error.cause : null)).not.toContain('secret')
    })
  }

  it('of a value that does not fit is a constraint by its state', () => {
    expect(translateError(serverError(9999, '22003'), 'w')).toMatchObject({ kind: 'constraint' })
  })

  it('of the network is transient', () => {
    for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST']) {
      const error = Object.assign(new Error('gone'), { code })
      expect(translateError(error, 'w')).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
      expect(isLost(error)).toBe(true)
    }
  })

  it('of this machine and of TLS are transient', () => {
    for (const code of ['EMFILE', 'EADDRNOTAVAIL', 'EPERM', 'EPROTO']) {
      const error = Object.assign(new Error('gone'), { code, errno: -24, syscall: 'connect' })
      expect(translateError(error, 'w')).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
      expect(isLost(error)).toBe(true)
    }
  })

  it('of a certificate are told apart from TLS that only failed', () => {
    const failed = (more: object) => Object.assign(new Error('said'), { code: 'HANDSHAKE_SSL_ERROR', ...more })

    expect(translateError(failed({}), 'w')).toMatchObject({ kind: 'transient', message: 'w was not believed: said' })
    for (const more of [{ syscall: 'read' }, { library: 'SSL routines' }]) {
      expect(translateError(failed(more), 'w')).toMatchObject({ message: 'w could not be reached: said' })
    }
  })

  it("that quote a caller's words are not taken for the driver's", () => {
    const error = Object.assign(serverError(1062), { message: "Duplicate entry 'connection lost' for key 'PRIMARY'" })

    expect(isLost(error)).toBe(false)
    expect(translateError(error, 'w')).toMatchObject({ kind: 'constraint' })
  })

  it('of connecting that nobody knows are met by another try', () => {
    for (const error of [serverError(9001), serverError(1135), new TypeError('odd'), 'odd']) {
      expect(translateConnectError(error, 'w')).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
    }
  })

  it('of connecting that need a hand stay so', () => {
    const own = new ConfigError('CONFIG_INVALID', 'mysql2 is not installed')
    const unknownLogin = Object.assign(new Error('said'), { code: 'AUTH_SWITCH_PLUGIN_ERROR' })

    expect(translateConnectError(own, 'w')).toBe(own)
    for (const error of [serverError(1045), serverError(1193), serverError(1231, '42000'), unknownLogin]) {
      expect(translateConnectError(error, 'w')).toMatchObject({ kind: 'schema' })
    }
  })

  it('of our own come back as they are, and what nobody knows too', () => {
    const own = new StoreError('closed', 'STORE_CLOSED', 'closed')
    const bug = new TypeError('a bug')

    expect(translateError(own, 'w')).toBe(own)
    expect(translateError(bug, 'w')).toBe(bug)
  })

  it('deadlocks and lock waits are run again, nothing else is', () => {
    for (const errno of [1213, 1205, 1020, 1412, 1615]) expect(isConflict(serverError(errno))).toBe(true)
    for (const errno of [1062, 1969]) expect(isConflict(serverError(errno))).toBe(false)
  })
})

describe('versions of the server', () => {
  for (const [version, fits] of [
    ['10.11.19-MariaDB-0+deb12u1', true],
    ['10.6.0-MariaDB', true],
    ['10.5.23-MariaDB', false],
    ['5.5.5-10.11.2-MariaDB', true],
    ['8.0.17', true],
    ['8.4.3', true],
    ['9.1.0-commercial', true],
    ['8.0.16', false],
    ['5.7.44', false],
  ] as const) {
    it(`${version} is ${fits ? 'taken' : 'refused'}`, () => {
      const attempt = () => refuseOld(version, flavorOf(version))

      if (fits) expect(attempt).not.toThrow()
      else expect(attempt).toThrow(/is needed$/)
    })
  }
})

it('on either server a transaction in which nothing more is asked ends after a minute', () => {
  expect(sessionLimits('mariadb', 30)).toBe('max_statement_time = 30, idle_transaction_timeout = 60')
  expect(sessionLimits('mysql', 30)).toBe('max_execution_time = 30000, wait_timeout = 60')
})
