/** The command as users have it: the package built from these sources into a folder of its own, once for all runs of a process. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundle } from '../../../scripts/bundle.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

/** What was built. */
export interface Built {
  /** The path of the command. */
  readonly bin: string
  /** Where it stands. Whose it is may be changed. */
  readonly folder: string
  /** The URL of the library. */
  readonly library: string
  /** Deletes it. */
  remove(): void
}

/** Builds it. */
export async function build(): Promise<Built> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-lab-'))
  await bundle(join(folder, 'dist'))
  mkdirSync(join(folder, 'bin'))
  copyFileSync(join(ROOT, 'bin/millrace.js'), join(folder, 'bin/millrace.js'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return {
    folder,
    bin: join(folder, 'bin/millrace.js'),
    library: pathToFileURL(join(folder, 'dist/index.js')).href,
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  }
}
