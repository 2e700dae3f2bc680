import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../test/support/temp-store.ts'
import { writePidFile } from './pid-file.ts'

/** The id of a process that has ended. */
const gone = () => spawnSync(process.execPath, ['-e', '']).pid
const fileWith = (text?: string) => {
  const path = join(tempDir(), 'millrace.pid')
  if (text !== undefined) writeFileSync(path, text)
  return path
}

test.each<readonly [what: string, text: () => string | undefined]>([
  ['is not there', () => undefined],
  ['is empty', () => ''],
  ['holds no id', () => 'yes\n'],
  ['holds an id that no process can have', () => '99999999999999\n'],
  ['holds a negative id, which would be a group', () => '-1\n'],
  ['belongs to a process that has gone', () => `${gone()}\n`],
  ['holds this process id, as after each start of a container', () => `${process.pid}\n`],
])('a pid file that %s is written, and removed at the end', (_, text) => {
  const path = fileWith(text())

  const remove = writePidFile(path)

  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  remove()
  expect(existsSync(path)).toBe(false)
})

test('a pid file of a millrace that works with it is left to it, however it names the file', async () => {
  const path = fileWith('')
  const folder = dirname(path)
  for (const [flags, cwd] of [
    [['--pid-file', path], '/'],
    [[`--pid-file=${path}`], '/'],
    [['--pid-file', 'millrace.pid'], folder],
    [['--pid-file', `../${basename(folder)}/millrace.pid`], folder],
  ] as const) {
    const { pid } = await lives(flags, cwd)
    writeFileSync(path, `${pid}\n`)

    expect(() => writePidFile(path), flags.join(' ')).toThrow(
      `${path} belongs to process ${pid}, a millrace that is running`,
    )
    expect(readFileSync(path, 'utf8')).toBe(`${pid}\n`)
  }
})

test('so is one of a process that shows a title in the place of its command line', async () => {
  const path = fileWith('')
  const { pid } = await lives([], '/', `process.title = 'millrace work --pid-file ${path}';`)
  writeFileSync(path, `${pid}\n`)

  expect(() => writePidFile(path)).toThrow('a millrace that is running')
})

test('a number that is another program now, as after a start of the machine, is nobody’s; nor a millrace’s with another file', async () => {
  for (const flags of [['--something'], ['--pid-file', '/run/other/millrace.pid'], ['--pid-file', 'millrace.pid']]) {
    const path = fileWith('')
    const { pid } = await lives(flags, '/')
    writeFileSync(path, `${pid}\n`)

    const remove = writePidFile(path)

    expect(readFileSync(path, 'utf8'), flags.join(' ')).toBe(`${process.pid}\n`)
    remove()
  }
})

test('a symbolic link in its place is not followed: what it leads to stays as it was, there or not', () => {
  const path = fileWith()
  const victim = join(dirname(path), 'victim')
  symlinkSync(victim, path)
  expect(() => writePidFile(path)).toThrow(
    `the pid file cannot be written: ${path} is a symbolic link, which is not followed`,
  )
  expect(existsSync(victim)).toBe(false)
  writeFileSync(victim, '99999999999999\n')

  expect(() => writePidFile(path)).toThrow('is a symbolic link')

  expect(readFileSync(victim, 'utf8')).toBe('99999999999999\n')
})

test('a pipe in its place holds nobody up', () => {
  const path = fileWith()
  spawnSync('mkfifo', [path])

  expect(() => writePidFile(path)).toThrow(`${path} is no file`)
})

test('a pid file that another has taken over meanwhile, or what else is there, is not removed', () => {
  const path = fileWith()
  const remove = writePidFile(path)
  writeFileSync(path, `${process.ppid}\n`)

  remove()

  expect(existsSync(path)).toBe(true)
  rmSync(path)
  symlinkSync('elsewhere', path)
  remove()
  expect(lstatSync(path).isSymbolicLink()).toBe(true)
})

test('a pid file that cannot be written is an error that says so', () => {
  const path = fileWith()
  mkdirSync(path)

  expect(() => writePidFile(path)).toThrow(`the pid file cannot be written: ${path} is no file`)
  expect(() => writePidFile(join(path, 'none', 'millrace.pid'))).toThrow('the pid file cannot be written: ENOENT')
})

/** A process with these arguments that does nothing until the test has finished; resolves when it runs. */
async function lives(args: readonly string[], cwd: string, first = ''): Promise<ChildProcess> {
  const code = `${first}process.stdout.write('.'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['-e', code, 'millrace', 'work', ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  await once(child.stdout, 'data')
  return child
}
