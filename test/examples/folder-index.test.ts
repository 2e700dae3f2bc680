/** The example as its user runs it: whole processes on real files. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { runIn } from '../support/app-folder.ts'
import { lacks } from '../support/needs.ts'
import { tempDir } from '../support/temp-store.ts'
import { hasTerminal, onTerminal } from '../support/terminal.ts'
import { example, manyFiles, reportOf, startExample } from './example.ts'

test('tells what it finds of each kind of file', async () => {
  const folder = example()
  const root = tempDir()
  writeFileSync(join(root, 'a.txt'), 'one two two\nthree three three\n')
  writeFileSync(join(root, 'copy.txt'), 'one two two\nthree three three\n')
  writeFileSync(join(root, 'empty'), '')
  writeFileSync(join(root, 'b.bin'), Buffer.from([1, 0, 2]))
  writeFileSync(join(root, 'huge.log'), '')
  truncateSync(join(root, 'huge.log'), 65 * 1024 * 1024)
  mkdirSync(join(root, '.git'))
  writeFileSync(join(root, '.git/left-out'), 'x')
  symlinkSync('/nowhere', join(root, 'link'))

  const ran = await runIn(folder, `node example/main.ts ${root} --out out --json`)

  expect(ran.code, ran.stderr).toBe(0)
  expect(JSON.parse(ran.stdout)).toMatchObject({
    files: 5,
    text: 3,
    binary: 1,
    failed: 1,
    bytes: 63,
    lines: 4,
    words: 12,
  })
  const report = reportOf(folder)
  expect(report.entries.find((entry: { path: string }) => entry.path === 'a.txt')).toEqual({
    path: 'a.txt',
    kind: 'text',
    size: 30,
    sha256: createHash('sha256').update('one two two\nthree three three\n').digest('hex'),
    lines: 2,
    words: 6,
    longestLine: 17,
    gzipRatio: expect.any(Number),
  })
  expect(report.frequentWords).toEqual([
    ['three', 6],
    ['two', 4],
    ['one', 2],
  ])
  expect(report.uncountedAtMost).toBe(0)
  expect(report.duplicates).toMatchObject([{ size: 30, paths: ['a.txt', 'copy.txt'] }])
  expect(report.failuresByReason).toEqual({
    TooLarge: [{ path: 'huge.log', reason: 'TooLarge', message: '65 MiB; at most 64 MiB are read' }],
  })
  expect(report.byExtension[0]).toEqual({ extension: '.txt', files: 2, bytes: 60, lines: 4 })
}, 60_000)

test('npm start runs it with two worker processes of one node, and both have jobs', async () => {
  const folder = example()
  const { start } = JSON.parse(readFileSync(resolve('package.json'), 'utf8')).scripts
  mkdirSync(join(folder, 'examples'))
  renameSync(join(folder, 'example'), join(folder, 'examples/folder-index'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', scripts: { start } }))
  const root = manyFiles(2_000, 500)
  mkdirSync(join(folder, 'out'))
  await using mill = await Millrace.open({ store: `sqlite:${join(folder, 'out/index.db')}` })

  const ran = runIn(folder, `npm start --silent -- ${root} --out out --json`)

  // Workers that hold jobs, with their processes.
  const atWork = new Map<string, { readonly pid: number; readonly node: string | null }>()
  await expect
    .poll(
      async () => {
        const held = new Set(
          (await mill.list({ state: 'processing', limit: 200 })).jobs.map(({ workerId }) => workerId),
        )
        for (const { id, pid, node } of await mill.workers()) if (held.has(id)) atWork.set(id, { pid, node })
        return atWork.size
      },
      { timeout: 30_000, interval: 10 },
    )
    .toBe(2)
  const [first, second] = [...atWork.values()]
  expect(first?.pid).not.toBe(second?.pid)
  expect(first?.node).not.toBeNull()
  expect(first?.node).toBe(second?.node)
  expect(await ran).toMatchObject({ code: 0 })
  expect(reportOf(folder)).toMatchObject({ files: 2_000, failed: 0 })
}, 90_000)

test('files that vanish are tried again and then told with their reason', async () => {
  const folder = example()
  const root = manyFiles(2)
  mkdirSync(join(folder, 'out'))
  const plan = {
    id: 'made',
    startedAt: Date.now(),
    root,
    store: `sqlite ${join(folder, 'out/index.db')}`,
    queue: 'folder-index.made',
    paths: ['file-0.txt', 'file-1.txt', 'gone.txt', 'file-0.txt/under'],
  }
  writeFileSync(join(folder, 'out/run.json'), JSON.stringify(plan))

  const ran = await runIn(folder, `node example/main.ts ${root} --out out --json`)

  expect(ran.code, ran.stderr).toBe(0)
  expect(ran.stderr).toContain('Going on with the run of')
  expect(reportOf(folder)).toMatchObject({ files: 4, failed: 2, failuresByReason: { Vanished: [{}, {}] } })
}, 60_000)

test('names of files cannot put anything into the page', async () => {
  const folder = example()
  const root = tempDir()
  writeFileSync(join(root, '<img src=x onerror=alert(1)>.txt'), 'same')
  writeFileSync(join(root, 'it\'s & "quoted".txt'), 'same')

  const ran = await runIn(folder, `node example/main.ts ${root} --out out`)

  expect(ran.code, ran.stderr).toBe(0)
  const html = readFileSync(join(folder, 'out/report.html'), 'utf8')
  expect(html).not.toContain('<img')
  expect(html).toContain('&#60;img src=x onerror=alert(1)&#62;.txt')
  expect(html).toMatch(/<td>[^<]+\n[^<]+<\/td><td class="n">2<\/td>/) // a line for each of the two
}, 60_000)

test('after kill -9 again and again each file is in the report exactly once', async () => {
  const folder = example()
  const root = manyFiles(600)
  const words = [root, '--out', 'out', '--json']
  let kills = 0
  for (let round = 0; round < 4; round++) {
    const run = startExample(folder, words)
    const before = sizeOf(join(folder, 'out/index.db-wal'))
    // Killed once it has written something, at another moment each time.
    await expect
      .poll(() => sizeOf(join(folder, 'out/index.db-wal')) !== before, { timeout: 20_000, interval: 5 + round * 7 })
      .toBe(true)
    run.child.kill('SIGKILL')
    if ((await run.ended).signal === 'SIGKILL') kills++
  }
  expect(kills).toBeGreaterThan(0)

  const ran = await runIn(folder, `node example/main.ts ${words.join(' ')}`)

  expect(ran.code, ran.stderr).toBe(0)
  const paths = reportOf(folder).entries.map((entry: { path: string }) => entry.path)
  expect(paths.length).toBe(600)
  expect(new Set(paths).size).toBe(600)
  expect(existsSync(join(folder, 'out/run.json'))).toBe(false)
}, 120_000)

test('Ctrl-C ends with 130 and says that it goes on', async () => {
  const folder = example()
  const root = manyFiles(600)
  const run = startExample(folder, [root, '--out', 'out'])
  await expect.poll(() => existsSync(join(folder, 'out/run.json')), { timeout: 20_000, interval: 10 }).toBe(true)
  run.child.kill('SIGINT')

  expect(await run.ended).toMatchObject({ code: 130 })
  expect(run.said()).toContain('goes on where it was')
  const ran = await runIn(folder, `node example/main.ts ${root} --out out --json`)
  expect(ran.stderr).toContain('Going on with')
  expect(JSON.parse(ran.stdout)).toMatchObject({ files: 600, failed: 0 })
}, 60_000)

test('a report that was cancelled meanwhile is made when the run goes on', async () => {
  const folder = example()
  const root = manyFiles(600)
  const run = startExample(folder, [root, '--out', 'out'])
  const storeUrl = `sqlite:${join(folder, 'out/index.db')}`
  await expect.poll(() => existsSync(join(folder, 'out/run.json')), { timeout: 20_000, interval: 10 }).toBe(true)
  {
    await using mill = await Millrace.open({ store: storeUrl })
    await expect.poll(() => reports(mill), { timeout: 20_000, interval: 10 }).toBe(1)
    run.child.kill('SIGKILL')
    await run.ended
    expect(await mill.cancelWhere({ name: 'folder-index.report' })).toMatchObject({ outcomes: { cancelled: 1 } })
  }

  const ran = await runIn(folder, `node example/main.ts ${root} --out out`)

  expect(ran.code, ran.stderr).toBe(0)
  expect(reportOf(folder)).toMatchObject({ files: 600, failed: 0 })
}, 60_000)

test('an output folder may have a name that is no part of a URL', async () => {
  const folder = example()

  const ran = await runIn(folder, "node example/main.ts example --out 'a%41 b?c'")

  expect(ran.code, ran.stderr).toBe(0)
  expect(existsSync(join(folder, 'a%41 b?c/index.db'))).toBe(true)
  expect(ran.stdout).toContain(" --store 'sqlite:a%2541 b%3Fc/index.db'\n")
}, 30_000)

test.skipIf(lacks('script', hasTerminal))(
  'its bar fits a terminal of 80 columns and ends full (needs: script)',
  async () => {
    const folder = example()
    const root = manyFiles(300)

    const shown = await onTerminal(folder, `node example/main.ts ${root} --out out`)

    expect(shown.code, shown.text).toBe(0)
    const [, ...drawn] = stripVTControlCharacters(shown.text)
      .split(/(?=Indexing )/)
      .map((text) => text.split('\n')[0]?.trim() ?? '')
    for (const line of drawn) {
      expect(line).toMatch(/ETA \S+$/)
      expect(line.length, line).toBeLessThanOrEqual(80)
    }
    expect(drawn.at(-1)).toContain('100 %  300/300 files')
    // What it switched off would stay off after `kill -9`: the cursor, and lines that go on in the next one.
    expect(shown.text).not.toContain('\u001b[?25l')
    expect(shown.text).not.toContain('\u001b[?7l')
    expect(shown.text).toMatch(/npx millrace queue stats folder-index\.\w{8} --store sqlite:out\/index\.db/)
  },
  60_000,
)

test.each([
  ['--nope', 'nope'],
  ['/no/such/folder', 'there is no folder'],
  ['a b', 'one folder at a time'],
])('%s is refused with what is right', async (words, said) => {
  const ran = await runIn(example(), `node example/main.ts ${words}`)

  expect(ran).toMatchObject({ code: 2, stdout: '' })
  expect(ran.stderr).toContain(said)
  expect(ran.stderr).toContain('npm start -- [FOLDER]')
})

test('--help says how it is called, on stdout', async () => {
  const ran = await runIn(example(), 'node example/main.ts --help')

  expect(ran).toMatchObject({ code: 0, stderr: '' })
  expect(ran.stdout).toContain('npm start -- [FOLDER]')
})

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

async function reports(mill: Millrace): Promise<number> {
  return (await mill.count({ name: 'folder-index.report' })).count
}
