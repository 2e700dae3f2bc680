/** Whoever reads the output of a command may leave before its end: `millrace … | head`. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import { appFolder, runIn } from '../support/app-folder.ts'
import { lacks } from '../support/needs.ts'

test.skipIf(lacks('/dev/full', existsSync('/dev/full')))(
  'output that cannot be written is one line and 1 (needs: /dev/full)',
  async () => {
    const ran = await runIn(appFolder(), 'millrace help job > /dev/full; millrace job list --json > /dev/full')

    expect(ran.code).toBe(1)
    expect(ran.stderr).toMatch(/^(✕ the output cannot be written: ENOSPC.*\n){2}$/)
  },
)

describe('a reader that leaves', () => {
  test('ends a list without a word', async () => {
    const folder = appFolder()
    await runIn(folder, 'millrace test --count 300 --payload-size 4kb --quiet --json')

    const ran = await runIn(folder, 'millrace job list --json --limit 200 | head -c 10')

    expect(ran).toMatchObject({ stdout: '{"data":[{', stderr: '' })
  })

  test('stops a worker in order: what runs is finished, the rest waits', async () => {
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(join(folder, 'millrace.config.ts'), "export default { handlers: './jobs/*.mjs', concurrency: 1 }")
    const handler =
      "import { defineJob } from 'millrace'\nexport default defineJob({ name: 'a', run: () => new Promise((done) => { setTimeout(done, 20) }) })"
    writeFileSync(join(folder, 'jobs/a.handler.mjs'), handler)
    const mill = await Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}` })
    await mill.enqueueMany(
      defineJob({ name: 'a' }),
      Array.from({ length: 3000 }, () => undefined),
    )

    const ran = await runIn(folder, 'millrace work --log json | head -n 3')

    expect(ran.stdout.trimEnd().split('\n')).toHaveLength(3)
    expect(ran.stderr).not.toContain('EPIPE')
    expect(await mill.count({ state: 'processing' })).toMatchObject({ count: 0 })
    expect((await mill.count({ state: 'pending' })).count).toBeGreaterThan(0)
    expect(await mill.count({ state: ['failed', 'retrying'] })).toMatchObject({ count: 0 })
    await mill.close()
  }, 60_000)
})
