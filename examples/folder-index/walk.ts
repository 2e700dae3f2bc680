/** Every file under a folder, in a fixed order. Links are not followed; `.git` and what the run itself writes are left out. */
import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/**
 * Paths relative to `root`, with `/`, without the files and folders at `leftOut`. A folder that cannot be read is left out too,
 * and told on stderr.
 */
export async function walk(root: string, leftOut: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = []
  const todo = [root]
  for (let folder = todo.pop(); folder !== undefined; folder = todo.pop()) {
    for (const entry of await entriesOf(folder)) {
      const path = join(folder, entry.name)
      if (leftOut.has(path)) continue
      if (entry.isDirectory() && entry.name !== '.git') todo.push(path)
      else if (entry.isFile()) found.push(relative(root, path).split(sep).join('/'))
    }
  }
  return found.sort()
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    console.error(`${folder} is left out: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
}
