/** What is typed wrong, and help. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { appFolder, runIn } from '../support/app-folder.ts'
import { here } from './app.ts'

describe('wrong usage', () => {
  test.each([
    ['work --concurency 3', 2, '--concurrency'],
    ['work --concurrency many', 2, 'whole number'],
    ['work --log xml', 2, 'neither pretty nor json'],
    ['worker frobnicate', 2, 'millrace help worker'],
    ['job add x --priority hgih', 2, 'high'],
    ['job list --store nosuch:db', 3, 'sqlite:'],
    ['job list --config nowhere.ts', 3, 'nowhere.ts'],
  ])('millrace %s ends with %i and names %s', async (words, code, said) => {
    const ran = await runIn(appFolder(), `millrace ${words}`)

    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr).toContain(said)
  })

  test.each([
    ['enum.handler.ts', 'enum Size { Big }', 'replace enums'],
    ['gone.handler.ts', "import './gone.ts'", 'relative ones need their file ending'],
    ['none.handler.ts', 'export default 1', 'export default handle('],
  ])('a handler file with what cannot be loaded (%s) is explained', async (name, code, said) => {
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(join(folder, 'millrace.config.ts'), "export default { handlers: './jobs/*.handler.ts' }")
    writeFileSync(join(folder, 'jobs', name), code)

    const ran = await runIn(folder, 'millrace work --drain')

    expect(ran.code).toBe(3)
    expect(ran.stderr).toContain(said)
  })
})

test('help of a topic that is none says which is near, and not the whole help', async () => {
  const run = here()

  expect(await run('millrace help job lst')).toEqual({
    code: 2,
    stdout: '',
    stderr: '✕ unknown command "job lst"  USAGE\n  Did you mean job list ?\n',
  })
  expect((await runIn(appFolder(), 'millrace help job add')).stdout).toContain(
    'Usage: millrace job add [options] <name>',
  )
})
