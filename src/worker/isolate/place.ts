/** Where the programs of isolates are: beside this file as sources, in the same folder of the built package. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '../../core/errors.ts'

/** The path of what runs in a thread or a process. Throws `ISOLATE_START` when it is not there. */
export function isolateFile(kind: 'thread' | 'process'): string {
  const isSource = import.meta.url.endsWith('.ts')
  // The built code is in dist/chunks/.
  const path = fileURLToPath(new URL(isSource ? `./${kind}.ts` : `../worker/isolate/${kind}.js`, import.meta.url))
  if (existsSync(path)) return path
  throw new ConfigError('ISOLATE_START', `there is no ${path}: millrace was bundled into the program`, {
    fields: { path },
    hint: 'Keep `millrace` out of the bundle of the program that works (mark it as external); handlers may be bundled whole.',
  })
}
