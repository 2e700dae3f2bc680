/** `millrace migrate`: brings tables up, says which they have, prints the SQL. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { STEPS } from '../../src/store/sqlite/migrate.ts'
import { cliHere } from '../support/cli-here.ts'
import { tempDir } from '../support/temp-store.ts'

const LATEST = STEPS.length
const VERSIONS = STEPS.map((_, i) => i + 1)

test('plan prints the SQL of an empty store, makes no file, and ends with 0', async () => {
  const folder = tempDir()
  const store = `sqlite:${join(folder, 'a.db')}`

  const ran = await cliHere(folder, ['migrate', 'plan', '--store', store])

  expect(ran).toMatchObject({ code: 0 })
  expect(existsSync(join(folder, 'a.db'))).toBe(false)
  const db = new DatabaseSync(':memory:')
  db.exec(ran.stdout)
  expect(db.prepare('SELECT max(version) AS version FROM millrace_schema').get()).toEqual({ version: LATEST })
  db.close()
})

test('plan goes from a version on, or looks, and other words take no flags of it', async () => {
  const folder = tempDir()
  const migrate = (what: string, ...flags: string[]) =>
    cliHere(folder, ['migrate', what, '--store', `sqlite:${join(folder, 'a.db')}`, ...flags])

  expect(JSON.parse((await migrate('plan', '--json')).stdout)).toMatchObject({
    latest: LATEST,
    steps: VERSIONS.map((version) => ({ version })),
  })
  expect((await migrate('plan', '--missing')).stdout).toContain('CREATE TABLE')
  expect(existsSync(join(folder, 'a.db'))).toBe(false)
  expect(await migrate('plan', '--from', `${LATEST}`)).toMatchObject({ code: 0, stdout: '' })
  expect(await migrate('plan', '--from', '0')).toMatchObject({ stdout: (await migrate('plan')).stdout })
  for (const flags of [
    ['plan', '--from', `${LATEST + 1}`],
    ['plan', '--from', 'one'],
    ['plan', '--from', '1', '--missing'],
    ['up', '--missing'],
    ['status', '--from', '1'],
    ['down'],
  ] as const) {
    const [what, ...rest] = flags
    expect(await migrate(what, ...rest), flags.join(' ')).toMatchObject({ code: 2, stdout: '' })
  }
  expect(await migrate('up')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(`from version 0 to ${LATEST}.`),
  })
  expect(await migrate('plan', '--missing')).toMatchObject({ code: 0, stdout: '' })
  expect(await cliHere(folder, ['migrate', 'plan', '--store', 'memory:'])).toMatchObject({ code: 0, stdout: '' })
})
