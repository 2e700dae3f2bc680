/** `millrace store copy`: a whole store into another. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
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

test('store copy ends with 2 without both URLs, and with 3 when there is nothing to copy, making no file', async () => {
  const folder = tempDir()
  const [from, to] = [`sqlite:${join(folder, 'none.db')}`, `sqlite:${join(folder, 'b.db')}`]

  expect(await cliHere(folder, ['store', 'copy', '--from', from])).toMatchObject({ code: 2 })
  expect(await cliHere(folder, ['store', 'copy', '--from', from, '--to', to])).toMatchObject({ code: 3 })

  expect([existsSync(join(folder, 'none.db')), existsSync(join(folder, 'b.db'))]).toEqual([false, false])
})
