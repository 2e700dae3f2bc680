/**
 * What the linter cannot forbid: rules for some folders only, and SQL put together from values.
 * A line that has to break a rule says so above itself or at its end: `// allow <rule>: <reason>`.
 */
import { blank, lineAt, type SourceFile } from './source.ts'

interface Rule {
  readonly name: string
  readonly applies: (path: string) => boolean
  readonly pattern: RegExp
  /** Whether the words are looked for inside strings too. */
  readonly inStrings?: boolean
  readonly say: string
}

const inCore = (path: string) => path.startsWith('src/core/') && !path.endsWith('.test.ts')
const isTestFile = (path: string) => path.endsWith('.test.ts')

const RULES: readonly Rule[] = [
  {
    name: 'sleep',
    applies: isTestFile,
    pattern: /\b(?:sleep|delay)\(\s*[\d_]|\bsetTimeout\(|Atomics\.wait\(/g,
    say: 'a test waits for a condition with a deadline, never for time to pass',
  },
  {
    name: 'sleep',
    applies: isTestFile,
    pattern: /['"](?:node:)?timers\/promises['"]/g,
    inStrings: true,
    say: 'a test waits for a condition with a deadline, never for time to pass',
  },
  {
    name: 'pure',
    applies: inCore,
    pattern: /\bMath\.random\b|\bDate\.|\bnew Date\b|\bperformance\.|\bprocess\.|\bcrypto\./g,
    say: 'core/ takes time, chance and the machine as arguments',
  },
  {
    name: 'pure',
    applies: inCore,
    pattern: /['"]node:/g,
    inStrings: true,
    say: 'core/ takes time, chance and the machine as arguments',
  },
  { name: 'eval', applies: () => true, pattern: /\beval\(|\bnew Function\b/g, say: 'text is never run as code' },
  {
    name: 'eval',
    applies: () => true,
    pattern: /['"](?:node:)?vm['"]/g,
    inStrings: true,
    say: 'text is never run as code',
  },
  {
    name: 'focus',
    applies: isTestFile,
    pattern: /\b(?:describe|test|it)\.only\b/g,
    say: 'one test alone hides the others',
  },
]

/** Every place where a file does what is banned there, one sentence each. */
export function bannedFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => [...ruleFaults(file), ...sqlFaults(file)])
}

function ruleFaults(file: SourceFile): string[] {
  const withStrings = blank(file.text, { comments: true })
  const codeOnly = blank(file.text, { comments: true, strings: true })
  return RULES.filter((rule) => rule.applies(file.path)).flatMap((rule) => {
    const code = rule.inStrings ? withStrings : codeOnly
    return [...code.matchAll(rule.pattern)].flatMap((match) => {
      const line = lineAt(code, match.index)
      return isAllowed(file.text, line, rule.name)
        ? []
        : [`${file.path}:${line}: ${match[0].trim()} (${rule.name}): ${rule.say}`]
    })
  })
}

const SQL_START =
  /^\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WITH|PRAGMA|ATTACH|BEGIN|AND|OR|WHERE|ORDER|LIMIT|SET|FROM|VALUES|RETURNING)\b/
// A constant in capitals, a call that quotes or counts, or a choice between two literals: nothing a caller can fill.
const SAFE_PART =
  /^(?:[A-Z][A-Z0-9_]*(?:\.\w+|\(.*\))?|(?:ident|placeholders|columns|marks|integer)\(.*\)|.+\?\s*'[^']*'\s*:\s*'[^']*')$/s

function sqlFaults(file: SourceFile): string[] {
  if (!file.path.startsWith('src/store/') || isTestFile(file.path)) return []
  const code = blank(file.text, { comments: true })
  return [...code.matchAll(/`((?:[^`\\]|\\[\s\S])*)`/g)].flatMap((template) => {
    const body = template[1] ?? ''
    if (!SQL_START.test(body)) return []
    return [...body.matchAll(/\$\{([^}]*)\}/g)].flatMap((part) => {
      const line = lineAt(code, template.index + 1 + part.index)
      if (SAFE_PART.test((part[1] ?? '').trim()) || isAllowed(file.text, line, 'sql')) return []
      return [
        `${file.path}:${line}: \${${part[1]}} in SQL (sql): bind values; put only constants and ident(…) into the text`,
      ]
    })
  })
}

function isAllowed(text: string, line: number, rule: string): boolean {
  const lines = text.split('\n')
  const mark = new RegExp(`// allow ${rule}: \\S`)
  return [lines[line - 1], lines[line - 2]].some((each) => each !== undefined && mark.test(each))
}
