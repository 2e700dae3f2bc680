/** The example when its store is not there: before it began, half-way, or for want of a package. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runIn } from '../support/app-folder.ts'
import { freePort } from '../support/private-server.ts'
import { describeOnPrivate, freshStoreUrl, SERVER_KINDS } from '../support/servers.ts'
import { example, manyFiles, reportOf, startExample } from './example.ts'

const PACKAGES = { postgres: 'pg', mysql: 'mysql2' } as const

for (const kind of SERVER_KINDS) {
  test(`a ${kind} server that does not run is told in two lines, and nothing is begun`, async () => {
    const folder = example()
    const url = `${kind}://app:s3cr%65t@127.0.0.1:${await freePort()}/app`

    const ran = await runIn(folder, 'node example/main.ts example --out out', { MILLRACE_STORE: url })

    expect(ran).toMatchObject({ code: 3, stdout: '' })
    expect(ran.stderr).toMatch(/^✕ .*\/app could not be reached: .* {2}STORE_UNREACHABLE\n {2}Check that .*\n$/)
    expect(ran.stderr).not.toMatch(/s3cr/)
    expect(existsSync(join(folder, 'out/run.json'))).toBe(false)
  })

  test(`without the package ${PACKAGES[kind]} it says what to install`, async () => {
    const folder = example()
    const missing = "Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' })"
    const hook = `(name, context, next) => { if (name === '${PACKAGES[kind]}') throw ${missing}; return next(name, context) }`
    writeFileSync(
      join(folder, 'without.mjs'),
      `import { registerHooks } from 'node:module'\nregisterHooks({ resolve: ${hook} })`,
    )

    const line = `node --import ./without.mjs example/main.ts example --out out --store ${kind}://app:s3cret@127.0.0.1/app`
    const ran = await runIn(folder, line)

    expect(ran).toMatchObject({ code: 3, stdout: '' })
    expect(ran.stderr).toContain(`which is not installed  CONFIG_INVALID\n  Install it: npm i ${PACKAGES[kind]}\n`)
    expect(ran.stderr).not.toContain('s3cret')
  })

  await describeOnPrivate(kind, (server, machine) => {
    test('a server that goes away ends the run, which goes on when it is back', async () => {
      const folder = example()
      const root = manyFiles(1500)
      const words = [root, '--out', 'out', '--store', await freshStoreUrl(server)]
      const run = startExample(folder, words)
      await expect.poll(() => existsSync(join(folder, 'out/run.json')), { timeout: 20_000, interval: 10 }).toBe(true)
      await machine.stop('kill')

      expect(await run.ended).toMatchObject({ code: 3 })
      expect(run.said()).toContain('STORE_UNREACHABLE')
      expect(run.said()).toContain('the same command goes on where it was')

      await machine.start()
      const ran = await runIn(folder, `node example/main.ts ${words.map((word) => `'${word}'`).join(' ')}`)
      expect(ran.code, ran.stderr).toBe(0)
      expect(ran.stderr).toContain('Going on with the run of')
      expect(reportOf(folder)).toMatchObject({ files: 1500, failed: 0 })
    }, 120_000)
  })
}

test.each([
  ['app:s3cret@db/app', 'it names no store'],
  ['postgres:app:s3cret@db/app', 'cannot be read'],
  ['postgress://app:s3/cr@et@db/app', 'it names no store'],
  ['postgres://app:s3c?ret@db/app', 'cannot be read'],
  ['mysql://app:12?s3cret@db/app', 'cannot be read'],
  ['mysql://app:12#s3cret@db/app', 'cannot be read'],
  ['postgres://app:12#s3cret@db/app', 'cannot be read'],
  ['memory:', 'keeps nothing when this process ends'],
])('%s is refused without its password', async (url, said) => {
  const ran = await runIn(example(), `node example/main.ts example --store '${url}'`)

  expect(ran.stdout).toBe('')
  expect(ran.code).not.toBe(0)
  expect(ran.stderr).toContain(said)
  expect(ran.stderr).not.toMatch(/s3|cr@et|:12/)
})
