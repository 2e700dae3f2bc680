/** The example as its user runs it: whole processes on real files. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { appFolder, runIn } from '../support/app-folder.ts'
import { lacks } from '../support/needs.ts'
import { tempDir } from '../support/temp-store.ts'
import { hasTerminal, onTerminal } from '../support/terminal.ts'

const EXAMPLE = resolve(import.meta.dirname, '../../examples/folder-index')

/** The example in an app folder, where `millrace` is this project's sources. */
function example(): string {
  const folder = appFolder()
  cpSync(EXAMPLE, join(folder, 'example'), { recursive: true })
  symlinkSync(resolve('node_modules/cli-progress'), join(folder, 'node_modules/cli-progress'))
  return folder
}

function reportOf(folder: string) {
  return JSON.parse(readFileSync(join(folder, 'out/report.json'), 'utf8'))
}

function manyFiles(count: number): string {
  const root = tempDir()
  for (let i = 0; i < count; i++) writeFileSync(join(root, `file-${i}.txt`), `line of file ${i}\n`.repeat(2000))
  return root
}

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

test('files that vanish are tried again and then told with their reason', async () => {
  const folder = example()
  const root = manyFiles(2)
  mkdirSync(join(folder, 'out'))
  const plan = {
    id: 'made',
    startedAt: Date.now(),
    root,
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
  const words = ['example/main.ts', root, '--out', 'out', '--json']
  let kills = 0
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, words, { cwd: folder, stdio: 'ignore' })
    const ended = new Promise<NodeJS.Signals | null>((done) => child.on('close', (_code, signal) => done(signal)))
    const before = sizeOf(join(folder, 'out/index.db-wal'))
    // Killed once it has written something, at another moment each time.
    await expect
      .poll(() => sizeOf(join(folder, 'out/index.db-wal')) !== before, { timeout: 20_000, interval: 5 + round * 7 })
      .toBe(true)
    child.kill('SIGKILL')
    if ((await ended) === 'SIGKILL') kills++
  }
  expect(kills).toBeGreaterThan(0)

  const ran = await runIn(folder, `node ${words.join(' ')}`)

  expect(ran.code, ran.stderr).toBe(0)
  const paths = reportOf(folder).entries.map((entry: { path: string }) => entry.path)
  expect(paths.length).toBe(600)
  expect(new Set(paths).size).toBe(600)
  expect(existsSync(join(folder, 'out/run.json'))).toBe(false)
}, 120_000)

test('Ctrl-C ends with 130 and says that it goes on', async () => {
  const folder = example()
  const root = manyFiles(600)
  const child = spawn(process.execPath, ['example/main.ts', root, '--out', 'out'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<number | null>((done) => child.on('close', (code) => done(code)))
  await expect.poll(() => sizeOf(join(folder, 'out/index.db-wal')) > 0, { timeout: 20_000, interval: 10 }).toBe(true)
  child.kill('SIGINT')

  expect(await ended).toBe(130)
  expect(stderr).toContain('goes on where it was')
  const ran = await runIn(folder, `node example/main.ts ${root} --out out --json`)
  expect(ran.stderr).toContain('Going on with')
  expect(JSON.parse(ran.stdout)).toMatchObject({ files: 600, failed: 0 })
}, 60_000)

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
    expect(shown.text).toContain('npx millrace queue stats files --store sqlite:out/index.db')
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
