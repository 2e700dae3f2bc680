import { describe, expect, it } from 'vitest'
import { describeTarget, mysqlSettings } from './options.ts'

describe('the URL of a mysql store', () => {
  it('names host, user, password and database, and has defaults for the rest', () => {
    const settings = mysqlSettings('mysql://app:p%40ss@db.example.com/jobs')

    expect(settings).toEqual({
      target: {
        host: 'db.example.com',
        port: 3306,
        socket: undefined,
        user: 'app',
        password: 'p@ss',
        database: 'jobs',
        tls: 'verify',
        ca: undefined,
      },
      pool: 6,
      deadlineMs: 30_000,
    })
    expect(describeTarget(settings)).toBe('mysql db.example.com:3306/jobs')
  })

  it('takes a socket, a pool and a deadline', () => {
    const settings = mysqlSettings('mariadb://root@localhost/jobs?socket=/run/mysqld/mysqld.sock&pool=9&deadline=2s')

    expect(settings).toMatchObject({
      pool: 9,
      deadlineMs: 2_000,
      target: { socket: '/run/mysqld/mysqld.sock', tls: 'off' },
    })
    expect(describeTarget(settings)).toBe('mysql /run/mysqld/mysqld.sock/jobs')
  })

  it('encrypts and verifies unless the host is this machine', () => {
    const tlsOf = (host: string) => mysqlSettings(`mysql://u@${host}/d`).target.tls

    expect(['localhost', '127.0.0.1', '[::1]'].map(tlsOf)).toEqual(['off', 'off', 'off'])
    expect(['db', '127.db.example.com', 'localhost.example.com'].map(tlsOf)).toEqual(['verify', 'verify', 'verify'])
  })

  for (const [url, reason] of [
    ['mysql://u:secret@h/d?pol=5', 'its parameter "pol" is unknown'],
    ['mysql://u:secret@h/d?pool=0', 'pool=0 is not a whole number from 1 to 200'],
    ['mysql://u:secret@h/d?tls=off&ca=/etc/hostname', 'nobody looks at its ca'],
    ['mysql://u:secret@10.0.0.1/d', 'tls=verify needs the name that is in the certificate'],
    ['mysql://u:secret@h/d?tls=maybe', 'tls=maybe is none of off, require, verify'],
    ['mysql://u:secret@h/d?ca=/absent.pem', 'its ca file cannot be read'],
    ['mysql://u:secret@h/d?ca=/etc/hostname', 'its ca file holds no certificate as PEM text'],
    ['mysql://u:secret@h/', 'it names no database'],
    ['mysql://u:sec%ret@h/d', 'cannot be read'],
    ['mysql://u:12?secret@h/d', 'cannot be read'],
    ['mysql://u:12#secret@h/d', 'cannot be read'],
    ['mysql://u:12/secret@h/d', 'cannot be read'],
    ['mysql:u:secret@h/d', 'cannot be read'],
    ['mysql://u:12?sec=ret@h/d', 'cannot be read'],
    ['mysql://u:12?pool=secret@h/d', 'cannot be read'],
    ['mysql://u:12?tls=secret@h/d', 'cannot be read'],
    ['mysql://u:12?ca=secret@h/d', 'cannot be read'],
    ['mysql://u:12/d?pool=secret@h/d', 'cannot be read'],
    ['mysql://u:12\\?pool=secret@h/d', 'cannot be read'],
    ['mysql://u:12@sec?pool=ret@h/d', 'cannot be read'],
    ['mysql://u:12@sec/ret@h/d', 'cannot be read'],
    ['mysql://u:12@sec#ret@h/d', 'cannot be read'],
  ] as const) {
    it(`refuses ${url} without telling the password`, () => {
      const attempt = () => mysqlSettings(url)

      expect(attempt).toThrow(reason)
      expect(attempt).toThrow(expect.objectContaining({ code: 'STORE_URL' }))
      expect(attempt).not.toThrow(/sec|:12/)
    })
  }
})
