import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { describeTarget, postgresSettings } from './options.ts'

describe('the URL of a postgres store', () => {
  it('names host, user, password and database, and has defaults for the rest', () => {
    const settings = postgresSettings('postgres://app:p%40ss@db.example.com:5433/jobs')

    expect(settings).toEqual({
      target: {
        host: 'db.example.com',
        port: 5433,
        user: 'app',
        password: 'p@ss',
        database: 'jobs',
        sslmode: 'verify-full',
        ca: undefined,
      },
      schema: 'millrace',
      pool: 6,
      deadlineMs: 30_000,
      pooler: 'none',
    })
    expect(describeTarget(settings)).toBe('postgres db.example.com:5433/jobs')
  })

  it('encrypts and verifies unless the host is this machine', () => {
    const modeOf = (host: string) => postgresSettings(`postgres://u@${host}/d`).target.sslmode

    expect(['localhost', '127.0.0.1', '[::1]', '%2Frun%2Fpostgresql'].map(modeOf)).toEqual(Array(4).fill('disable'))
    expect(['db', '127.db.example.com', 'localhost.example.com'].map(modeOf)).toEqual(Array(3).fill('verify-full'))
  })

  it.each(['abc', '99999', '0', '5432.5', '-1'])('refuses %s as PGPORT, by its name', (port) => {
    vi.stubEnv('PGPORT', port)
    onTestFinished(() => void vi.unstubAllEnvs())

    expect(() => postgresSettings('postgres://u:secret@h/d')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(`PGPORT is "${port}"`) }),
    )
    expect(postgresSettings('postgres://u:secret@h:5433/d').target.port).toBe(5433)
  })

  it.each([
    ['', 5432],
    ['6543', 6543],
  ])('takes the port that PGPORT=%s says', (text, port) => {
    vi.stubEnv('PGPORT', text)
    onTestFinished(() => void vi.unstubAllEnvs())

    expect(postgresSettings('postgres://u:secret@h/d').target.port).toBe(port)
  })

  for (const [url, reason] of [
    ['postgres://u:secret@h/d?pol=5', 'its parameter "pol" is unknown'],
    ['postgres://u:secret@h/d?pool=0', 'pool=0 is not a whole number from 1 to 200'],
    ['postgres://u:secret@h/d?sslmode=disable&ca=/etc/hostname', 'nobody looks at its ca'],
    ['postgres://u:secret@h/d?sslmode=maybe', 'sslmode=maybe is none of disable, require, verify-ca, verify-full'],
    ['postgres://u:secret@h/d?pooler=session', 'pooler=session is neither none nor transaction'],
    ['postgres://u:secret@h/d?schema=', 'is not 1 to 63 bytes long'],
    ['postgres://u:secret@h/d?ca=/absent.pem', 'its ca file cannot be read'],
    ['postgres://u:secret@h/d?ca=/etc/hostname', 'its ca file holds no certificate as PEM text'],
    ['postgres://u:sec%ret@h/d', 'cannot be read'],
    ['postgres://u:12?secret@h/d', 'cannot be read'],
    ['postgres://u:12#secret@h/d', 'cannot be read'],
    ['postgres://u:12/secret@h/d', 'cannot be read'],
    ['postgres:u:secret@h/d', 'cannot be read'],
    ['postgres://u:12?sec=ret@h/d', 'cannot be read'],
    ['postgres://u:12?pool=secret@h/d', 'cannot be read'],
    ['postgres://u:12?sslmode=secret@h/d', 'cannot be read'],
    ['postgres://u:12?pooler=secret@h/d', 'cannot be read'],
    ['postgres://u:12?host=secret@h/d', 'cannot be read'],
    ['postgres://u:12?ca=secret@h/d', 'cannot be read'],
    ['postgres://u:12/d?pool=secret@h/d', 'cannot be read'],
    ['postgres://u:12\\?pool=secret@h/d', 'cannot be read'],
    ['postgres://u:12@sec?pool=ret@h/d', 'cannot be read'],
    ['postgres://u:12@sec/ret@h/d', 'cannot be read'],
    ['postgres://u:12@sec#ret@h/d', 'cannot be read'],
  ] as const) {
    it(`refuses ${url} without telling the password`, () => {
      const attempt = () => postgresSettings(url)

      expect(attempt).toThrow(reason)
      expect(attempt).toThrow(expect.objectContaining({ code: 'STORE_URL' }))
      expect(attempt).not.toThrow(/sec|:12/)
    })
  }
})
