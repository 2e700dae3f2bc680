import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { lacks } from '../support/needs.ts'
import { tempDir } from '../support/temp-store.ts'

const BIN = resolve(import.meta.dirname, '../../bin/millrace.js')
const oldNode = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .find((path) => existsSync(path) && majorOf(path) < 22)

describe('bin/millrace.js', () => {
  test.skipIf(lacks('Node older than 22 in PATH', oldNode !== undefined))(
    'on an older Node says in one line what to do and ends with 3',
    async () => {
      const { code, stdout, stderr } = await run(oldNode ?? '', [BIN, 'work'])

      expect(code).toBe(3)
      expect(stdout).toBe('')
      expect(stderr).toMatch(/^millrace needs Node 24\.15 or newer \(this is v[\d.]+\)\. Install .*npx -p node@24.*\n$/)
    },
  )

  test('hands the arguments to the command line and ends with its exit code', async () => {
    const bin = installBin("export const main = async (args) => (console.log(args.join(' ')), 5)")

    const { code, stdout } = await run(process.execPath, [bin, 'job', 'list', '--json'])

    expect({ code, stdout }).toEqual({ code: 5, stdout: 'job list --json\n' })
  })

  test.each([
    ['work', true],
    ['--store sqlite:a.db queue:work', true],
    ['-c app.config.ts work', true],
    ['dev', true],
    ['job add work', false],
    ['--help', false],
  ])('%s notes early signals: %s', async (words, notes) => {
    const bin = installBin(
      "export const main = async () => console.log(Symbol.for('millrace.signals') in globalThis, process.listenerCount('SIGINT'))",
    )

    const { stdout } = await run(process.execPath, [bin, ...words.split(' ')])

    expect(stdout).toBe(`${notes} ${notes ? 1 : 0}\n`)
  })

  test('keeps the signals that came for whoever takes over', async () => {
    const bin = installBin(`export const main = async () => {
      const came = globalThis[Symbol.for('millrace.signals')]
      const noted = new Promise((done) => { process.once('SIGUSR2', done) })
      const alive = setInterval(() => {}, 1000)
      process.kill(process.pid, 'SIGUSR2')
      await noted
      clearInterval(alive)
      came.release()
      console.log(came.join(), process.listenerCount('SIGUSR2'))
    }`)

    const { code, stdout } = await run(process.execPath, [bin, 'work'])

    expect({ code, stdout }).toEqual({ code: 0, stdout: 'SIGUSR2 0\n' })
  })

  test.skipIf(lacks('/proc', existsSync('/proc/self/cmdline'))).each([
    ['postgres://app:p@ss/secret@db.example.com/app', 'postgres://***@db.example.com/app'],
    ['postgres://db/app?user=app&password=secret&ssl=true', 'postgres://db/app?user=app&password=***&ssl=true'],
  ])('takes the password of %s out of the list of processes', async (url, shown) => {
    const main =
      "import { readFileSync } from 'node:fs'\n" +
      "export const main = async (args) => console.log(args.at(-1), readFileSync('/proc/self/cmdline', 'latin1'))"
    const bin = installBin(main)

    const { stdout } = await run(process.execPath, [bin, 'work', '--store', url])

    const [given, ...listed] = stdout.split(' ')
    expect(given).toBe(url)
    expect(listed.join(' ').replaceAll('\0', '')).toBe(`millrace work --store ${shown}\n`)
  })

  test('names the versions that package.json names', () => {
    expect(manifest.engines.node).toBe('^22.23.3 || ^24.15.0 || >=25.9.0')
  })
})

/** A copy of the bin beside a command line of the test's own. */
function installBin(main: string): string {
  const folder = tempDir()
  mkdirSync(join(folder, 'dist/cli'), { recursive: true })
  cpSync(BIN, join(folder, 'bin/millrace.js'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'dist/cli/main.js'), main)
  return join(folder, 'bin/millrace.js')
}

function run(program: string, args: readonly string[]) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((done, fail) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', fail)
    child.on('close', (code) => done({ code, stdout, stderr }))
  })
}

function majorOf(node: string): number {
  return Number(execFileSync(node, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }))
}
