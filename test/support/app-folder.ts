/**
 * A small app of a user's own in a fresh folder: `import 'millrace'` and `millrace` on the PATH lead to the package as it was built of
 * this project's sources when the tests began.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { tempDir } from './temp-store.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Makes the folder; it is removed when the test has finished. */
export function appFolder(): string {
  const folder = tempDir()
  writeFileSync(join(folder, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n')
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true })
  symlinkSync(builtPackage(), join(folder, 'node_modules/millrace'))
  for (const name of ['zod', '@standard-schema']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  }
  symlinkSync('../millrace/bin/millrace.js', join(folder, 'node_modules/.bin/millrace'))
  return folder
}

function builtPackage(): string {
  const folder = process.env.MILLRACE_TEST_PACKAGE
  if (folder === undefined) throw new Error('test/package-built.ts has not run: see globalSetup in vitest.config.ts')
  return folder
}

/** Runs a shell line in the folder to its end. */
export function runIn(folder: string, line: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const path = [join(folder, 'node_modules/.bin'), dirname(process.execPath), process.env.PATH].join(delimiter)
  const child = spawn('sh', ['-c', line], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', MILLRACE_STORE: '', ...env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code) => done({ code, stdout, stderr }))
  })
}
