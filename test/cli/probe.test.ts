/** `millrace test`: one probe, many test jobs, a handler inline. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { appFolder, runIn } from '../support/app-folder.ts'
import { app } from './app.ts'

describe('millrace queue:test', () => {
  test('prints the road of one probe', async () => {
    const run = await app()

    const { code, stdout } = await run('millrace queue:test')

    expect(code).toBe(0)
    expect(stdout).toMatch(
      /✓ Connected .*\n✓ Enqueued .*\n✓ Picked up .*\n✓ Completed .*"pong":true.*\nAll good in \d+ ms\.\n/,
    )
  })

  test('ends with 4 when nobody picks the probe up, and leaves none behind', async () => {
    const run = await app()

    const { code, stderr } = await run('millrace queue:test --no-worker --timeout 100ms')
    const left = await run('millrace job list --json --state pending')

    expect(code).toBe(4)
    expect(stderr).toContain('millrace work')
    expect(JSON.parse(left.stdout)).toEqual({ data: [] })
  })

  test('gives a probe up that does not end, and runs nothing else that waits in its queue', async () => {
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(
      join(folder, 'jobs/a.handler.mjs'),
      `import { defineJob } from 'millrace'
      const stuck = () => new Promise((done) => setTimeout(done, 3_600_000))
      export const deaf = defineJob({ name: 'deaf', run: stuck })
      export const other = defineJob({ name: 'other', run: stuck })`,
    )
    writeFileSync(join(folder, 'millrace.config.ts'), "export default { handlers: './jobs/*.mjs' }")
    const other = (await runIn(folder, 'millrace job add other')).stdout.trim()

    const { code, stderr } = await runIn(folder, 'millrace test deaf --timeout 2s')
    const left = await runIn(folder, `millrace job show ${other} --json`)

    expect(stderr).toMatch(/within 2s; it is cancelled/)
    expect(code).toBe(4)
    expect(JSON.parse(left.stdout)).toMatchObject({ state: 'pending', attempts: 0 })
  }, 60_000)

  test('makes many test jobs and tells what became of them', async () => {
    const run = await app()

    const { code, stdout } = await run('millrace test --count 50 --fail-rate 0.1 --payload-size 2kb --json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      count: 50,
      completed: 45,
      failed: 5,
      failures: { 'TestFailure: failed on purpose (--fail-rate)': 5 },
    })
  })

  test('runs a handler inline', async () => {
    const run = await app()

    expect(await run(`millrace test hello --inline --json --data '{"name":"you"}'`)).toMatchObject({
      code: 0,
      stdout: '{"ok":true,"result":{"text":"hello, you"}}\n',
    })
  })
})
