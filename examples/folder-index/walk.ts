/** Every file under a folder, in a fixed order. Links are not followed; `.git` and the output folder are left out. */
import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

/** Paths relative to `root`, with `/`. A folder that cannot be read is left out and told on stderr. */
export async function walk(root: string, out: string): Promise<string[]> {
  const found: string[] = []
  const todo = [root]
  for (let folder = todo.pop(); folder !== undefined; folder = todo.pop()) {
    for (const entry of await entriesOf(folder)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && entry.name !== '.git' && path !== out) todo.push(path)
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
