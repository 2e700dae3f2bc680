/** The example in an app folder, as processes of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { appFolder } from '../support/app-folder.ts'
import { tempDir } from '../support/temp-store.ts'

const EXAMPLE = resolve(import.meta.dirname, '../../examples/folder-index')

/** An app folder with the example, where `millrace` is this project's sources. */
export function example(): string {
  const folder = appFolder()
  cpSync(EXAMPLE, join(folder, 'example'), { recursive: true })
  symlinkSync(resolve('node_modules/cli-progress'), join(folder, 'node_modules/cli-progress'))
  return folder
}

/** What a run wrote. */
export function reportOf(folder: string, out = 'out') {
  return JSON.parse(readFileSync(join(folder, out, 'report.json'), 'utf8'))
}

/** A folder with so many files of so many lines. */
export function manyFiles(count: number, lines = 2000): string {
  const root = tempDir()
  for (let i = 0; i < count; i++) writeFileSync(join(root, `file-${i}.txt`), `line of file ${i}\n`.repeat(lines))
  return root
}

/** A run under way. */
export interface Started {
  readonly child: ChildProcess
  /** What it has said on stderr. */
  readonly said: () => string
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** Starts the example and does not wait for it. */
export function startExample(
  folder: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Started {
  const child = spawn(process.execPath, ['example/main.ts', ...words], {
    cwd: folder,
    env: { ...process.env, MILLRACE_STORE: '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) =>
    child.on('close', (code, signal) => done({ code, signal })),
  )
  return { child, said: () => said, ended }
}
