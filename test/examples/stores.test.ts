/** The example on servers: the same report, the same way to go on, and nothing of it left at work when it is dropped. */
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import { runIn } from '../support/app-folder.ts'
import { LIVE } from '../support/live.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS, type TestServer } from '../support/servers.ts'
import { example, manyFiles, reportOf, type Started, startExample } from './example.ts'

for (const kind of SERVER_KINDS) await describeOn(kind, cases)

function cases(server: TestServer): void {
  test('the report is, byte for byte, that of SQLite, and its page names the store', async () => {
    const folder = example()
    const root = manyKinds()
    const url = await freshStoreUrl(server)

    const embedded = await runIn(folder, `node example/main.ts ${root} --out embedded`)
    const byFlag = await runIn(folder, `node example/main.ts ${root} --out flag --store '${url}'`)
    const byEnv = await runIn(folder, `node example/main.ts ${root} --out env --json`, { MILLRACE_STORE: url })

    for (const ran of [embedded, byFlag, byEnv]) expect(ran.code, ran.stderr).toBe(0)
    const [expected, ...others] = ['embedded', 'flag', 'env'].map((out) => reportText(folder, out))
    expect(others).toEqual([expected, expected])
    expect(reportOf(folder, 'flag')).toMatchObject({ files: 304, failed: 1, duplicates: [{ size: 4 }] })
    const store = JSON.parse(byEnv.stdout).store
    expect(store).toMatch(new RegExp(`^${server.kind} `))
    expect(byFlag.stdout).toContain(` s in ${store}`)
    expect(readFileSync(join(folder, 'flag/report.html'), 'utf8')).toContain(`Jobs kept in ${store}`)
    expect(existsSync(join(folder, 'flag/index.db'))).toBe(false)
    expect(byFlag.stdout).toContain(url)
  }, 90_000)

  test('a run that is killed and stopped goes on, and ends with the report of one that was not', async () => {
    const folder = example()
    const root = manyFiles(2_000, 500)
    const url = await freshStoreUrl(server)
    const store = await openHere(url)
    const words = [root, '--out', 'out', '--store', url]
    for (const [signal, done] of [
      ['SIGKILL', 20],
      ['SIGINT', 100],
      ['SIGKILL', 200],
    ] as const) {
      const run = startExample(folder, words)
      // What was done before may be enough: its workers have gone on for a moment.
      await expect.poll(run.said, { timeout: 30_000, interval: 5 }).toMatch(/Indexing|Going on/)
      await untilDone(store, done, run)
      run.child.kill(signal)
      expect(await run.ended).toMatchObject(signal === 'SIGINT' ? { code: 130 } : { signal })
    }

    const ran = await runIn(folder, `node example/main.ts ${root} --out out --store '${url}' --json`)
    const unbroken = await runIn(folder, `node example/main.ts ${root} --out unbroken`)

    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stderr).toContain('Going on with the run of')
    expect(unbroken.code, unbroken.stderr).toBe(0)
    expect(reportText(folder, 'out')).toBe(reportText(folder, 'unbroken'))
    expect(await store.count({ name: 'folder-index.file', state: 'completed' })).toMatchObject({ count: 2_000 })
  }, 120_000)

  test('a run that is dropped leaves no job to be run, and none of it in the next report', async () => {
    const folder = example()
    const [dropped, next] = [manyFiles(600, 500), manyKinds()]
    const url = await freshStoreUrl(server)
    const store = await openHere(url)
    const run = startExample(folder, [dropped, '--out', 'out', '--store', url])
    await untilDone(store, 20, run)
    run.child.kill('SIGKILL')
    await run.ended

    const ran = await runIn(folder, `node example/main.ts ${next} --out out --store '${url}' --json`)

    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stderr).toContain(`The unfinished run over ${dropped} is dropped.`)
    expect(reportOf(folder)).toMatchObject({ root: next, files: 304 })
    expect(await store.count({ state: LIVE })).toMatchObject({ count: 0 })
    expect(await store.count({ name: 'folder-index.file' })).toMatchObject({ count: 304 })
  }, 90_000)

  test('two at once do not mix, nor with jobs of others, and one folder takes one run', async () => {
    const folder = example()
    const [one, other] = [manyFiles(400, 500), manyKinds()]
    const url = await freshStoreUrl(server)
    const store = await openHere(url)
    const foreign = await store.enqueue(defineJob({ name: 'report' }))
    const run = startExample(folder, [one, '--out', 'one', '--store', url])
    await untilDone(store, 1, run)

    const besides = runIn(folder, `node example/main.ts ${other} --out other --store '${url}'`)
    run.child.kill('SIGSTOP')
    const second = await runIn(folder, `node example/main.ts ${other} --out one --store '${url}'`)
    run.child.kill('SIGCONT')
    const beside = await besides

    expect(second).toMatchObject({ code: 6, stdout: '' })
    expect(second.stderr).toContain('is at work on a run in')
    expect(beside.code, beside.stderr).toBe(0)
    expect(await run.ended, run.said()).toMatchObject({ code: 0 })
    expect(reportOf(folder, 'one')).toMatchObject({ root: one, files: 400, failed: 0 })
    expect(reportOf(folder, 'other')).toMatchObject({ root: other, files: 304, failed: 1 })
    expect((await store.get(foreign.id))?.state).toBe('pending')
  }, 90_000)

  test('an unfinished run is not lost to another store: it says which has it', async () => {
    const folder = example()
    const root = manyFiles(600, 500)
    const url = await freshStoreUrl(server)
    const run = startExample(folder, [root, '--out', 'out', '--store', url])
    await untilDone(await openHere(url), 20, run)
    run.child.kill('SIGKILL')
    await run.ended

    const ran = await runIn(folder, `node example/main.ts ${root} --out out`)

    expect(ran).toMatchObject({ code: 6, stdout: '' })
    expect(ran.stderr).toMatch(new RegExp(`unfinished in ${server.kind} \\S+.*, and this is sqlite `))
    expect(ran.stderr).toContain('begin anew with another --out')
    expect(existsSync(join(folder, 'out/run.json'))).toBe(true)
  }, 60_000)

  test('a password is printed and kept nowhere, and a worker needs no more rights than a worker has', async () => {
    const folder = example()
    const roles = await server.rolesOf(await freshStoreUrl(server))
    const { password } = new URL(roles.worker)
    await (await openHere(roles.migrator)).close()

    const started = startExample(folder, [manyFiles(200, 500), '--out', 'flag', '--store', roles.worker])
    await expect.poll(() => existsSync(join(folder, 'flag/run.json')), { timeout: 20_000, interval: 10 }).toBe(true)
    const listed = readFileSync(`/proc/${started.child.pid}/cmdline`, 'utf8')
    const plan = readFileSync(join(folder, 'flag/run.json'), 'utf8')
    const { code } = await started.ended
    const byEnv = await runIn(folder, `node example/main.ts example --out env`, { MILLRACE_STORE: roles.worker })
    const byFlag = await runIn(folder, `node example/main.ts example --out flag --store '${roles.worker}'`)
    const wrong = new URL(roles.worker)
    wrong.username = 'nobody-of-that-name'
    const refused = await runIn(folder, `node example/main.ts example --out env --store '${wrong}'`)

    expect(code, started.said()).toBe(0)
    expect(listed).toContain('•••@')
    expect(byEnv.stdout).toMatch(/queue stats folder-index\.\w{8}\n/)
    expect(byFlag.stdout).toContain('Next, with MILLRACE_STORE set')
    expect(refused).toMatchObject({ code: 3, stdout: '' })
    const said = [byEnv, byFlag, refused].flatMap(({ stdout, stderr }) => [stdout, stderr])
    const written = ['flag', 'env'].flatMap((out) =>
      readdirSync(join(folder, out)).map((name) => join(folder, out, name)),
    )
    for (const text of [listed, plan, started.said(), ...said, ...written.map((path) => readFileSync(path, 'utf8'))]) {
      expect(text).not.toContain(password)
    }
  }, 90_000)

  test('who may not make the tables is told so before anything is begun', async () => {
    const folder = example()
    const roles = await server.rolesOf(await freshStoreUrl(server))

    const ran = await runIn(folder, 'node example/main.ts example --out out', { MILLRACE_STORE: roles.viewer })

    expect(ran).toMatchObject({ code: 3, stdout: '' })
    expect(ran.stderr).toMatch(/^✕ .* forbids it: .* {2}STORE_READ_ONLY\n {2}Connect as .*\n$/)
    expect(existsSync(join(folder, 'out/run.json'))).toBe(false)
  }, 30_000)
}

/** Files of every kind, one of them refused, more than a fold takes. */
function manyKinds(): string {
  const root = manyFiles(300, 20)
  writeFileSync(join(root, 'binary'), Buffer.from([1, 0, 2, 3]))
  writeFileSync(join(root, 'copy'), Buffer.from([1, 0, 2, 3]))
  writeFileSync(join(root, 'naïve ☃.md'), 'naïve naïve ☃\r\nline\n')
  writeFileSync(join(root, 'huge'), '')
  truncateSync(join(root, 'huge'), 65 * 1024 * 1024)
  return root
}

function reportText(folder: string, out: string): string {
  return readFileSync(join(folder, out, 'report.json'), 'utf8')
}

/** The store as the test sees it, from beside the example. */
async function openHere(url: string): Promise<Millrace> {
  const mill = await Millrace.open({ store: url })
  onTestFinished(() => mill.close())
  return mill
}

/** Until so many files are indexed by a run. */
async function untilDone(store: Millrace, count: number, run: Started): Promise<void> {
  const done = async () => (await store.count({ name: 'folder-index.file', state: 'completed' }, count)).count
  await expect.poll(done, { timeout: 30_000, interval: 5, message: run.said() }).toBeGreaterThanOrEqual(count)
}
