/** `millrace store copy`: a whole store into another. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { appFolder, runIn } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { tempDir } from '../support/temp-store.ts'

test('store copy moves every job, says what it copied, and refuses a target that is filled', async () => {
  const folder = tempDir()
  const [from, to] = ['a', 'b'].map((name) => `sqlite:${join(folder, `${name}.db`)}`)
  await cliHere(folder, ['migrate', 'up', '--store', from ?? ''])
  await cliHere(folder, ['queue', 'pause', 'mail', '--store', from ?? '', '--yes'])

  const ran = await cliHere(folder, ['store', 'copy', '--from', from ?? '', '--to', to ?? '', '--json'])

  expect(ran).toMatchObject({ code: 0 })
  expect(JSON.parse(ran.stdout)).toMatchObject({ isComplete: true, running: 0 })
  expect((await cliHere(folder, ['queue', 'list', '--store', to ?? ''])).stdout).toContain('mail')
  const again = await cliHere(folder, ['store', 'copy', '--from', from ?? '', '--to', to ?? ''])
  expect(again).toMatchObject({ code: 6, stdout: '' })
  expect(again.stderr).toContain('COPY_REFUSED')
})

test('store copy ends with 2 when a URL is not said, and with 3 when there is nothing to copy, making no file', async () => {
  const folder = tempDir()
  writeFileSync(join(folder, 'millrace.config.ts'), "export default { store: 'sqlite:./configured.db' }")
  const [from, to] = [`sqlite:${join(folder, 'none.db')}`, `sqlite:${join(folder, 'b.db')}`]
  const copy = (...flags: string[]) => cliHere(folder, ['store', 'copy', ...flags])

  const neither = await copy()
  expect(neither).toMatchObject({ code: 2, stdout: '' })
  expect(neither.stderr).toMatch(/^✕ nothing says which store to read, and which to fill .*\n.*MILLRACE_STORE_TO/)
  expect((await copy('--to', to)).stderr).toContain('nothing says which store to read ')
  expect((await copy('--store', from)).stderr).toContain('nothing says which store to fill ')
  expect(await copy('--from', from)).toMatchObject({ code: 2 })
  expect(await copy('--from', from, '--to', to)).toMatchObject({ code: 3 })

  expect(readdirSync(folder)).toEqual(['millrace.config.ts'])
})

test('the help of store copy shows no password', async () => {
  const { stdout } = await runIn(appFolder(), 'millrace help store copy')

  expect(stdout).toContain('MILLRACE_STORE_TO')
  expect(stdout).not.toMatch(/:\/\/[^\s@]*:[^\s@]*@/)
})
