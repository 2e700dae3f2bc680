/** Commands that take a store somewhere, alike on every store: work, test, store copy. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { appFolder } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { tempDir, tempStoreUrl } from '../support/temp-store.ts'
import { type CliStore, describeOnStores, expectNoPassword, fill, runOn } from './stores.ts'

await describeOnStores((store) => {
  works(store)
  copies(store)
})

const SLOW = `import { defineJob } from 'millrace'
import { writeFileSync } from 'node:fs'
const later = () => new Promise((done) => { setTimeout(done, 300) })
export default defineJob({ name: 'slow', run: async () => { writeFileSync('started', ''); await later(); return 'whole' } })`

function works({ made }: CliStore): void {
  test('a probe and many test jobs go the whole road', async () => {
    const run = runOn(await made())

    const probe = await run('test')
    const many = await run('test', '--count', '40', '--fail-rate', '0.1', '--json')

    expect(probe).toMatchObject({ code: 0, stderr: '' })
    expect(probe.stdout).toMatch(/✓ Connected .*\n✓ Enqueued .*\n✓ Picked up .*\n✓ Completed .*"pong":true.*\nAll good/)
    expect(JSON.parse(many.stdout)).toMatchObject({ count: 40, completed: 36, failed: 4 })
  })

  test('work runs what was enqueued, and Ctrl-C lets the job that runs finish', async () => {
    const url = await made()
    const run = runOn(url)
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(join(folder, 'millrace.config.ts'), "export default { handlers: './jobs/*.handler.mjs' }")
    writeFileSync(join(folder, 'jobs/slow.handler.mjs'), SLOW)
    const id = (await run('job', 'add', 'slow')).stdout.trim()
    const child = spawn(process.execPath, ['node_modules/.bin/millrace', 'work', '--store', url], { cwd: folder })
    onTestFinished(() => void child.kill('SIGKILL'))
    const said: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk))
    const ended = new Promise((done) => child.on('close', done))
    const isStarted = () => existsSync(join(folder, 'started'))
    await expect.poll(isStarted, { timeout: 20_000, interval: 10 }).toBe(true)
    const listed = existsSync('/proc') ? readFileSync(`/proc/${child.pid}/cmdline`, 'utf8') : ''

    child.kill('SIGINT')

    expect(await ended, said.join('')).toBe(0)
    expect(said.join('')).toContain('SIGINT: stopping when the job that runs is done')
    expectNoPassword(url, said.join(''), listed)
    expect(await run('job', 'wait', id)).toMatchObject({ code: 0, stdout: '"whole"\n' })
  }, 40_000)
}

function copies({ kind, fresh }: CliStore): void {
  test('store copy takes both URLs from the environment, and moves every job there and back', async () => {
    const [embedded, url, folder] = [tempStoreUrl(), await fresh(), tempDir()]
    await fill(embedded)
    writeFileSync(join(folder, 'millrace.config.ts'), 'export default {}')

    const moved = await copyBy(folder, embedded, url)
    expect(moved.code, moved.stderr).toBe(0)
    expect(moved.stderr).toMatch(/^✓ sqlite .* copied to .*live 2, archive 3.*\nCounts and checksums are the same/)
    expectNoPassword(url, moved.stderr)
    expect(await runOn(url)('job', 'count', '--where', 'error:timeout')).toMatchObject({ stdout: '2\n' })
    const again = await copyBy(folder, embedded, url)
    expect(again).toMatchObject({ code: 6, stderr: expect.stringContaining('the target is not empty') })

    const back = await copyBy(folder, url, tempStoreUrl(), '--json')
    expect(JSON.parse(back.stdout)).toMatchObject({ isComplete: true, running: 0 })
    expect(JSON.parse(back.stdout).from).toMatch(new RegExp(`^${kind}`))
    expectNoPassword(url, back.stdout, back.stderr)
  })
}

function copyBy(folder: string, from: string, to: string, ...flags: readonly string[]) {
  vi.stubEnv('MILLRACE_STORE', from)
  vi.stubEnv('MILLRACE_STORE_TO', to)
  return cliHere(folder, ['store', 'copy', ...flags]).finally(() => vi.unstubAllEnvs())
}
