/** `millrace migrate`: brings tables up, says which they have, prints the SQL. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { cliHere } from '../support/cli-here.ts'
import { tempDir } from '../support/temp-store.ts'

test('plan prints the SQL that up would run, makes no file, and ends with 0', async () => {
  const folder = tempDir()
  const store = `sqlite:${join(folder, 'a.db')}`

  const ran = await cliHere(folder, ['migrate', 'plan', '--store', store])

  expect(ran).toMatchObject({ code: 0 })
  expect(existsSync(join(folder, 'a.db'))).toBe(false)
  const db = new DatabaseSync(':memory:')
  db.exec(ran.stdout)
  expect(db.prepare('SELECT version FROM millrace_schema').get()).toEqual({ version: 1 })
  db.close()
})

test('status ends with 7 before up and with 0 after it, and plan then prints nothing', async () => {
  const folder = tempDir()
  const migrate = (what: string, ...flags: string[]) =>
    cliHere(folder, ['migrate', what, '--store', `sqlite:${join(folder, 'a.db')}`, ...flags])

  expect(await migrate('status')).toMatchObject({ code: 7, stdout: '' })
  const planned = JSON.parse((await migrate('plan', '--json')).stdout)
  expect(planned).toMatchObject({ current: 0, latest: 1, steps: [{ version: 1 }] })
  expect(JSON.parse((await migrate('up', '--json')).stdout)).toMatchObject({ current: 1, applied: [1] })
  expect(await migrate('status')).toMatchObject({ code: 0 })
  expect(await migrate('plan')).toMatchObject({ code: 0, stdout: '' })
  expect(await migrate('down')).toMatchObject({ code: 2 })
})
