/** Every export says in a docstring what becomes true: a comment of two stars on the lines right before it. */
import { lineAt, type SourceFile } from './source.ts'

// A declaration at the start of a line. What an overload or a re-export says, its own file says.
const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:class|function\*?|const|let|interface|type|enum) ([A-Za-z_$][\w$]*)/gm

/** The exports of these files that have no docstring, one line each. */
export function docstringFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const seen = new Set<string>()
    const faults: string[] = []
    for (const match of text.matchAll(DECLARATION)) {
      const name = match[1] ?? ''
      // The first overload of a function speaks for the others.
      if (!seen.has(name) && !DOCSTRING.test(text.slice(0, match.index)))
        faults.push(`${path}:${lineAt(text, match.index)}: ${name} has no docstring`)
      seen.add(name)
    }
    return faults
  })
}

// The last comment of the text, which ends on the line above.
const DOCSTRING = /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n$/
