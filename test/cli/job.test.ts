/** `millrace job`, `queue` and `dead`: what they print, and how they end. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { appFolder, runIn } from '../support/app-folder.ts'
import { openMill } from '../support/mill.ts'
import { app, here, idOf } from './app.ts'

describe('millrace job', () => {
  test('lists, shows and changes jobs, and says for each id what became of it', async () => {
    const run = here()
    const id = await idOf(run, 'millrace job add later --delay 1h --priority high --tag a,b')

    expect((await run('millrace job list')).stdout).toMatch(
      new RegExp(`^${id}\tlater\tdefault\tscheduled\t\t0\t\\S+Z\t\n$`),
    )
    expect(JSON.parse((await run(`millrace job show ${id} --json`)).stdout)).toMatchObject({
      tags: ['a', 'b'],
      priority: 10,
      why: [{ code: 'not-before' }, { code: 'no-worker' }],
    })
    expect(await run(`millrace job move bulk ${id}`)).toMatchObject({ code: 0, stdout: `${id}\tupdated\n` })
    expect(await run(`millrace job priority urgent ${id}`)).toMatchObject({ code: 0 })
    expect(await run(`millrace job:cancel ${id}`)).toMatchObject({ code: 0, stdout: `${id}\tcancelled\n` })
    expect(await run(`millrace job cancel ${id}`)).toMatchObject({ code: 1, stdout: `${id}\tfinal\n` })
    expect(await run(`millrace queue:retry ${id}`)).toMatchObject({ code: 0, stdout: `${id}\tretried\n` })
    expect(await run(`millrace job delete ${id}`)).toMatchObject({ code: 6, stdout: '' })
    expect(await run(`millrace job delete ${id} --yes`)).toMatchObject({ code: 0, stdout: `${id}\tremoved\n` })
    expect(await run(`millrace job delete ${id} --yes`)).toMatchObject({ code: 5, stdout: `${id}\tmissing\n` })
    expect(await run(`millrace job show ${id}`)).toMatchObject({ code: 5 })
  })

  test('needs --yes for several when nobody can be asked', async () => {
    const run = here()
    const [a, b] = [await idOf(run, 'millrace job add one'), await idOf(run, 'millrace job add two')]

    const refused = await run(`millrace job cancel ${a} ${b}`)
    const done = await run(`millrace job cancel ${a} ${b} --yes`)

    expect(refused).toMatchObject({ code: 6, stdout: '' })
    expect(refused.stderr).toContain('CONFIRMATION_NEEDED')
    expect(done).toMatchObject({ code: 0, stdout: `${a}\tcancelled\n${b}\tcancelled\n` })
  })

  test('cancel with a time that is none changes nothing', async () => {
    const run = here()
    const id = await idOf(run, 'millrace job add later --delay 1h')

    for (const time of ['nonsense', '0s']) {
      const { code, stderr } = await run(`millrace job cancel ${id} --timeout ${time}`)
      expect(code).toBe(2)
      expect(stderr).toContain('--timeout 20s')
    }

    expect(JSON.parse((await run(`millrace job show ${id} --json`)).stdout)).toMatchObject({ state: 'scheduled' })
  })

  test('wait ends by how the job ended', async () => {
    const run = here()
    const id = await idOf(run, 'millrace job add nobody')

    expect(await run(`millrace job wait ${id} --timeout 50ms`)).toMatchObject({ code: 4 })
    await run(`millrace job cancel ${id}`)
    expect(await run(`millrace job wait ${id}`)).toMatchObject({ code: 1 })
  })

  test('shows hostile text without its control characters', async () => {
    const run = await app()
    const id = await idOf(run, `millrace job add hello --data '{"name":"\\u001b[31mred\\u202e"}'`)
    await run('millrace work --drain --quiet')

    const { stdout } = await run(`millrace job show ${id}`)

    expect(stdout).toContain('greeting \\u001b[31mred\\u202e')
    expect(stdout).not.toContain('\u001b')
    expect(stdout).not.toContain('\u202e')
  })
})

describe('millrace queue', () => {
  test('says of a long queue that it holds 10,000 or more', async () => {
    const folder = appFolder()
    const mill = await openMill({ store: `sqlite:${join(folder, 'millrace.db')}?durability=normal` })
    await mill.enqueueMany(defineJob({ name: 'many', queue: 'long' }), new Array(10_001).fill(undefined))

    expect((await runIn(folder, 'millrace queue list')).stdout).toMatch(/^long\t10,000\+\t/)
    expect((await runIn(folder, 'millrace queue stats long')).stdout).toContain('long\tpending\t10,000+\n')
  })

  test('pauses, resumes, tells and clears', async () => {
    const run = here()
    await idOf(run, 'millrace job add one --queue media')
    await idOf(run, 'millrace job add two --queue media')

    expect(await run('millrace queue pause media --reason "bad deploy"')).toMatchObject({ code: 0 })
    expect((await run('millrace queue list')).stdout).toMatch(/^media\t2\t\S+Z\t0\t0\t0\t0\tby .*: bad deploy\n$/)
    expect(await run('millrace queue:resume media')).toMatchObject({ code: 0 })
    expect((await run('millrace queue:stats media')).stdout).toContain('media\tpending\t2\n')
    expect(await run('millrace queue:purge media')).toMatchObject({ code: 6 })
    expect(await run('millrace queue:purge media --yes --json')).toMatchObject({
      code: 0,
      stdout: '{"queue":"media","removed":2}\n',
    })
    expect(await run('millrace queue stats nowhere')).toMatchObject({ code: 5 })
  })
})

describe('millrace dead', () => {
  test('lists dead letters, puts them back and deletes them', async () => {
    const run = here()
    await run('millrace test --count 3 --fail-rate 1 --quiet --json')

    expect((await run('millrace queue:failed')).stdout.split('\n').filter(Boolean)).toHaveLength(3)
    expect(await run('millrace dead retry')).toMatchObject({ code: 2 })
    expect(await run('millrace dead delete --all --yes --json')).toMatchObject({
      code: 0,
      stdout: '{"done":3,"matched":3,"outcomes":{"removed":3}}\n',
    })
    expect((await run('millrace dead list')).stdout).toBe('')
  })
})
