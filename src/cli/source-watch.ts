/** `--watch`: tells when files of the app have changed, once for each burst of changes. */
import { relative, sep } from 'node:path'

/** What an editor or a build writes in one go is one change. */
const SETTLED_MS = 150
const CODE = /\.(ts|mts|cts|js|mjs|cjs|json|env)$|(^|\/)\.env$/
const IGNORED = /(^|[/\\])(node_modules|\.git|\.[^/\\]*\.sw[a-z])$/

/**
 * Calls `onChange` with the path that changed first, until the returned function is called. Resolves when every folder is watched but
 * those that are installed.
 */
export async function watchSources(folder: string, onChange: (path: string) => void): Promise<() => void> {
  const { watch } = await import('chokidar')
  let first: string | undefined
  let timer: NodeJS.Timeout | undefined
  const changed = (absolute: string) => {
    const path = relative(folder, absolute).split(sep).join('/')
    if (!CODE.test(path)) return
    first ??= path
    clearTimeout(timer)
    timer = setTimeout(() => {
      const told = first ?? path
      first = undefined
      onChange(told)
    }, SETTLED_MS)
  }
  const watcher = watch(folder, { ignoreInitial: true, ignored: (path) => IGNORED.test(path) })
  watcher.on('add', changed).on('change', changed).on('unlink', changed)
  // A folder that was removed is no reason to stop working.
  watcher.on('error', () => undefined)
  await new Promise<void>((resolve) => void watcher.once('ready', () => resolve()))
  return () => {
    clearTimeout(timer)
    void watcher.close()
  }
}
