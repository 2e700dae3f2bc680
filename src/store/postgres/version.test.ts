import { describe, expect, it } from 'vitest'
import { refuseOldServer } from './version.ts'

describe('versions of the server', () => {
  it.each([
    [90_624, '9.6.24', false],
    [120_022, '12.22 (Debian 12.22-1.pgdg120+1)', false],
    [130_000, '13.0', true],
    [150_020, '15.20', true],
    [170_002, '17.2', true],
  ] as const)('%d (%s): taken is %s', async (number, name, fits) => {
    const attempt = refuseOldServer({ query: async () => ({ rows: [[number, name]], changes: 1 }) })

    if (fits) await attempt
    else await expect(attempt).rejects.toThrow(`the server is PostgreSQL ${name}; 13 or newer is needed`)
  })
})
