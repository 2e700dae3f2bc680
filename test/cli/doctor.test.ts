/** `millrace doctor` tells what the store finds, with its code, and ends by the worst of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { appFolder, runIn } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { tempDir } from '../support/temp-store.ts'
import { app } from './app.ts'

test('a missing index is a problem with its code and the statement that makes it, and ends with 7', async () => {
  const folder = tempDir()
  const url = `sqlite:${join(folder, 'a.db')}`
  const doctor = () => cliHere(folder, ['doctor', '--store', url, '--json'])
  await cliHere(folder, ['migrate', 'up', '--store', url])
  const db = new DatabaseSync(join(folder, 'a.db'))
  db.exec('DROP INDEX millrace_job_lease')

  const ran = await doctor()

  const found = JSON.parse(ran.stdout).findings.find((one: { code?: string }) => one.code === 'INDEX_MISSING')
  expect(ran).toMatchObject({ code: 7 })
  expect(found).toMatchObject({ group: 'Store', level: 'problem', text: expect.stringContaining('millrace_job_lease') })
  db.exec(found.fix)
  db.close()
  expect((await doctor()).stdout).not.toContain('INDEX_MISSING')
})

test('durability that was traded for speed is a warning, and ends with 0', async () => {
  const folder = tempDir()
  const url = `sqlite:${join(folder, 'a.db')}?durability=normal`
  await cliHere(folder, ['migrate', 'up', '--store', url])

  const ran = await cliHere(folder, ['doctor', '--store', url])

  expect(ran).toMatchObject({ code: 0 })
  expect(ran.stdout).toContain('! durability is normal')
  expect(ran.stdout).toContain('NOT_DURABLE')
})

test('ends with 7 and says what to do about what is wrong', async () => {
  const folder = appFolder()
  writeFileSync(join(folder, 'millrace.db'), 'this is no database, whatever its name says; '.repeat(100))

  const { code, stdout } = await runIn(folder, 'millrace doctor --json')

  expect(code).toBe(7)
  expect(JSON.parse(stdout).findings).toContainEqual(expect.objectContaining({ group: 'Store', level: 'problem' }))
})

test('is content with a new app', async () => {
  const run = await app()

  expect(await run('millrace doctor')).toMatchObject({ code: 0 })
})
