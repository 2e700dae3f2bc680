/** `--watch`: tells when files of the app have changed, once for each burst of changes. */
import { watch } from 'node:fs'
import { sep } from 'node:path'

/** What an editor or a build writes in one go is one change. */
const SETTLED_MS = 150
const CODE = /\.(ts|mts|cts|js|mjs|cjs|json|env)$/
const IGNORED = /(^|[/\\])(node_modules|\.git|\.[^/\\]*\.sw[a-z])([/\\]|$)/

/** Calls `onChange` with the path that changed first, until the returned function is called. */
export function watchSources(folder: string, onChange: (path: string) => void): () => void {
  let first: string | undefined
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(folder, { recursive: true }, (_, name) => {
    const path = name?.split(sep).join('/')
    if (path === undefined || IGNORED.test(path) || !CODE.test(path)) return
    first ??= path
    clearTimeout(timer)
    timer = setTimeout(() => {
      const changed = first ?? path
      first = undefined
      onChange(changed)
    }, SETTLED_MS)
  })
  // A folder that was removed is no reason to stop working.
  watcher.on('error', () => undefined)
  return () => {
    clearTimeout(timer)
    watcher.close()
  }
}
