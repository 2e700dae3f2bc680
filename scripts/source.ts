/**
 * Reading TypeScript without a compiler: what a file imports, and its text with comments or strings blanked.
 * TypeScript 7 has no compiler API for JavaScript, and the checks need only this much.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'

/** One import or re-export, with what it names and where it stands. */
export interface ImportOf {
  readonly specifier: string
  readonly line: number
  /** `type` is erased, `value` loads with the file, `lazy` loads when its line runs. */
  readonly kind: 'type' | 'value' | 'lazy'
}

/** A file of the project: its path from the root with forward slashes, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** Every `.ts` file under the folders named, in the order of their paths; a folder that is not there has none. */
export function readSources(root: string, folders: readonly string[]): SourceFile[] {
  return folders
    .flatMap((folder) => listFiles(join(root, folder)))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => ({ path: relative(root, file).replaceAll('\\', '/'), text: readFileSync(file, 'utf8') }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** What the text imports, in the order it stands there: static, re-exported, for types and lazy. */
export function importsOf(text: string): ImportOf[] {
  const code = blank(text, { comments: true })
  const found: (ImportOf & { readonly index: number })[] = []
  const take = (pattern: RegExp, kind: (match: RegExpExecArray) => ImportOf['kind']) => {
    for (const match of code.matchAll(pattern)) {
      const { index } = match
      found.push({ specifier: match[2] ?? '', kind: kind(match), line: lineAt(code, index), index })
    }
  }
  take(/(?:^|[\s;])(?:import|export)\s+(type\s)?[\w$*{}\s,]*?\bfrom\s*['"]([^'"\n]+)['"]/g, (m) =>
    m[1] ? 'type' : 'value',
  )
  take(/(?:^|[\s;])import\s*()['"]([^'"\n]+)['"]/g, () => 'value')
  take(/\bimport\(\s*()['"]([^'"\n]+)['"]/g, () => 'lazy')
  return found.sort((a, b) => a.index - b.index).map(({ specifier, kind, line }) => ({ specifier, kind, line }))
}

/** The project file that a relative specifier names, or undefined for a package or a part of Node. */
export function resolveRelative(fromPath: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(fromPath), specifier) : undefined
}

/** The line, counted from 1, on which the character at `index` stands. */
export function lineAt(text: string, index: number): number {
  const first = text.slice(index).search(/\S/)
  return text.slice(0, index + Math.max(first, 0)).split('\n').length
}

/** The text with comments, and strings too when asked, made of spaces: every other character keeps its place. */
export function blank(text: string, what: { readonly comments?: boolean; readonly strings?: boolean }): string {
  const keep = (part: string, hide: boolean | undefined) => (hide ? part.replace(/[^\n]/g, ' ') : part)
  return text.replace(TOKEN, (token, comment?: string, string?: string) => {
    if (comment !== undefined) return keep(token, what.comments)
    if (string !== undefined) return string[0] + keep(string.slice(1, -1), what.strings) + string.slice(-1)
    return token
  })
}

// Comments, then quoted strings and templates without nested ones, then regular expressions after what can stand before one.
const TOKEN =
  /(\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*)|('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`)|(?<=[(,=:[!&|?{};]\s*|return\s+)\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g

function listFiles(folder: string): string[] {
  let entries: ReturnType<typeof readDirectory>
  try {
    entries = readDirectory(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return entries.flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? listFiles(path) : [path]
  })
}

function readDirectory(folder: string) {
  return readdirSync(folder, { withFileTypes: true })
}
