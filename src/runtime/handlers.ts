/** Loading handlers by glob: every export of the files that is a bound handler, or a definition with `run`. */
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '../core/errors.ts'
import { handlersOf } from '../job/exports.ts'
import type { BoundHandler } from '../job/handle.ts'
import { importModule } from '../job/import-module.ts'

/** Imports the files that match, in the order of their paths. Throws `HANDLER_MISSING` when nothing is found in them. */
export async function loadHandlers(
  globs: string | readonly string[],
  folder: string,
): Promise<readonly BoundHandler[]> {
  const patterns = typeof globs === 'string' ? [globs] : globs
  const { glob } = await import('node:fs/promises')
  const paths: string[] = []
  for await (const path of glob([...patterns], { cwd: folder })) paths.push(join(folder, path))
  const handlers: BoundHandler[] = []
  for (const path of [...new Set(paths)].sort()) handlers.push(...handlersOf(await importModule(path), path))
  if (handlers.length > 0) return handlers
  const what =
    paths.length === 0
      ? `no file matches ${patterns.join(', ')}`
      : paths.length === 1
        ? `${relative(folder, paths[0] ?? '')} exports no handler`
        : `none of ${paths.length} files exports a handler`
  throw new ConfigError('HANDLER_MISSING', `${what} in ${folder}`, {
    fields: { patterns, folder, files: paths },
    hint: 'A handler file says: export default handle(definition, async (input, job) => { … })',
  })
}

/** The handlers that the modules with these URLs export. Throws `HANDLER_MISSING` for a module that exports none. */
export async function loadEntries(urls: readonly string[]): Promise<readonly BoundHandler[]> {
  const handlers: BoundHandler[] = []
  for (const url of urls) {
    const path = fileURLToPath(url)
    const found = handlersOf(await importModule(path), path)
    if (found.length === 0) {
      throw new ConfigError('HANDLER_MISSING', `${path} exports no handler`, {
        fields: { path },
        hint: 'Export handlers from it: export const resize = handle(definition, async (input, job) => { … })',
      })
    }
    handlers.push(...found)
  }
  return handlers
}
