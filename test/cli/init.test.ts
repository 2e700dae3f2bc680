/** `millrace init`: an app that works, and nothing of it overwritten. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { appFolder, runIn } from '../support/app-folder.ts'
import { tempDir } from '../support/temp-store.ts'
import { app, idOf } from './app.ts'

describe('millrace init', () => {
  test('is followed by a job that runs', async () => {
    const run = await app()
    const id = await idOf(run, `millrace job add hello --data '{"name":"world"}'`)

    const work = await run('millrace work --drain --log json')
    const wait = await run(`millrace job wait ${id} --timeout 1s`)

    expect(work.code, work.stderr).toBe(0)
    expect(
      work.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    ).toContainEqual(expect.objectContaining({ event: 'job.settled', jobId: id, outcome: 'completed' }))
    expect(wait).toMatchObject({ code: 0, stdout: '{"text":"hello, world"}\n' })
  })

  test('says what to install where the package is not', async () => {
    const bin = resolve('bin/millrace.js')

    expect((await runIn(tempDir(), `node ${bin} init --yes`)).stderr).toContain('npm install millrace\n')
    expect((await runIn(appFolder(), `node ${bin} init --yes`)).stderr).not.toContain('npm install')
  })

  test('changes nothing that is there', async () => {
    const folder = appFolder()
    writeFileSync(join(folder, 'millrace.config.ts'), 'export default {}\n')

    await runIn(folder, 'millrace init --yes')
    const again = await runIn(folder, 'millrace init --yes')

    expect(readFileSync(join(folder, 'millrace.config.ts'), 'utf8')).toBe('export default {}\n')
    expect(again.stderr).toContain('Everything is here already')
  })
})
