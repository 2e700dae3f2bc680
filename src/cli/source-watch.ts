/** `--watch`: tells when files of the app have changed, once for each burst of changes. */
import { relative, sep } from 'node:path'
import { clean } from './output.ts'

/** What an editor or a build writes in one go is one change. */
const SETTLED_MS = 150
/** Of JSON only what decides how code is run: other files of it are as often data that the app itself writes. */
const CODE = /\.(ts|mts|cts|js|mjs|cjs|env)$|(^|\/)(package|tsconfig[^/]*)\.json$/
const IGNORED = /(^|[/\\])(node_modules|\.git|\.[^/\\]*\.sw[a-z])$/

/**
 * Calls `onChange` with the path that changed first, until the returned function is called. Resolves when every folder is watched but
 * those that are installed, and those that the system does not let it watch: of these stderr is told once.
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
  watcher.on('error', tellOnce())
  await new Promise<void>((resolve) => void watcher.once('ready', () => resolve()))
  return () => {
    clearTimeout(timer)
    void watcher.close()
  }
}

/** Says the first error on stderr: what cannot be watched is no reason to stop working, but whoever edits has to know. */
function tellOnce(): (error: unknown) => void {
  let isTold = false
  return (error) => {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // Its folder was removed: there is nothing left to watch.
    if (isTold || code === 'ENOENT' || code === 'ENOTDIR') return
    isTold = true
    console.error(
      `✕ --watch does not see every change: ${clean(error instanceof Error ? error.message : String(error))}`,
    )
    if (code === 'ENOSPC') console.error('  Let the system watch more: sysctl fs.inotify.max_user_watches=524288')
  }
}
