/**
 * A small app of a user's own in a fresh folder: `import 'millrace'` and `millrace` on the PATH lead to this project's
 * sources, so that tests of examples and of the command line need no build.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
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
  const installed = join(folder, 'node_modules/millrace')
  mkdirSync(installed, { recursive: true })
  // A link is followed to its real place, which is not under node_modules: there Node strips the types.
  symlinkSync(join(ROOT, 'src'), join(installed, 'src'))
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ ...manifest, exports: sourceExports() }))
  for (const name of ['zod', '@standard-schema']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  }
  // Without a dist/ beside it the command runs the sources.
  mkdirSync(join(installed, 'bin'))
  copyFileSync(join(ROOT, 'bin/millrace.js'), join(installed, 'bin/millrace.js'))
  mkdirSync(join(folder, 'node_modules/.bin'))
  symlinkSync('../millrace/bin/millrace.js', join(folder, 'node_modules/.bin/millrace'))
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

function sourceExports(): Record<string, string> {
  const source = (target: string) => target.replace('./dist/', './src/').replace(/\.js$/, '.ts')
  return Object.fromEntries(
    Object.entries(manifest.exports).map(([name, target]) => [
      name,
      typeof target === 'string' ? target : source(target.default),
    ]),
  )
}
