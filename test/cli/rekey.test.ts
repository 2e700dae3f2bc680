/** `millrace rekey` in an app whose keys come from its environment. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { appFolder, runIn } from '../support/app-folder.ts'

const CONFIG = `import { keyRingFromEnv } from 'millrace'
export default { encryption: process.env.KEYS ? { keys: keyRingFromEnv(process.env.KEYS) } : {} }`

test('rekey seals everything under the first key, tells what is left, and ends with 1 until nothing is', async () => {
  const folder = appFolder()
  writeFileSync(join(folder, 'millrace.config.ts'), CONFIG)
  const [k1, k2] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
  const run = (line: string, keys: string) => runIn(folder, line, { KEYS: keys })
  const { stdout } = await run(`millrace job add hello --data '{"card":"4111"}'`, `k1:${k1}`)
  const id = stdout.trim()

  const lacking = await run('millrace rekey', `k2:${k2}`)
  expect(lacking.code).toBe(1)
  expect(lacking.stderr).toContain('1 job needs the key k1')

  const done = await run('millrace rekey --json', `k2:${k2},k1:${k1}`)
  expect(done.code, done.stderr).toBe(0)
  expect(JSON.parse(done.stdout)).toMatchObject({ kid: 'k2', rewritten: 1, isComplete: true })

  const shown = await run(`millrace job show ${id} --json`, `k2:${k2}`)
  expect(JSON.parse(shown.stdout)).toMatchObject({ input: { card: '4111' }, isUnreadable: false })
  expect((await run(`millrace job show ${id}`, '')).stdout).toContain('cannot be opened with the keys that are here')

  const keyless = await run('millrace rekey', '')
  expect(keyless).toMatchObject({ code: 3, stdout: '' })
  expect(keyless.stderr).toContain('there are no keys to seal with')
}, 60_000)
