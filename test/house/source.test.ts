import { describe, expect, test } from 'vitest'
import { blank, importsOf } from '../../scripts/source.ts'

describe('importsOf', () => {
  test.each([
    ["import { a } from './a.ts'", './a.ts', 'value'],
    ["import a, { b as c } from './a.ts'", './a.ts', 'value'],
    ["import * as a from './a.ts'", './a.ts', 'value'],
    ["import './a.ts'", './a.ts', 'value'],
    ["import {\n  a,\n  type B,\n} from './a.ts'", './a.ts', 'value'],
    ["import type { A } from './a.ts'", './a.ts', 'type'],
    ["export * from './a.ts'", './a.ts', 'value'],
    ["export * as a from './a.ts'", './a.ts', 'value'],
    ["export type { A } from './a.ts'", './a.ts', 'type'],
    ["const a = await import('./a.ts')", './a.ts', 'lazy'],
    ["type A = import('./a.ts').A", './a.ts', 'lazy'],
    ['import { a } from "node:fs"', 'node:fs', 'value'],
    ["import table from './a.json' with { type: 'json' }", './a.json', 'value'],
  ])('reads %j', (text, specifier, kind) => {
    expect(importsOf(text)).toEqual([{ specifier, kind, line: 1 }])
  })

  test('gives the line of each and keeps their order', () => {
    const text = "/* a\n */\nimport { a } from './a.ts'\n\nexport function f() {\n  return import('./b.ts')\n}\n"

    expect(importsOf(text)).toEqual([
      { specifier: './a.ts', kind: 'value', line: 3 },
      { specifier: './b.ts', kind: 'lazy', line: 6 },
    ])
  })

  test('overlooks comments and what only looks like an import', () => {
    const text = [
      "// import { a } from './a.ts'",
      "/** import { a } from './a.ts' */",
      "export const from = 'a'",
      "const url = 'https://example.org' // from './a.ts'",
      'export { from }',
    ].join('\n')

    expect(importsOf(text)).toEqual([])
  })
})

describe('blank', () => {
  test('hides comments but not what looks like one inside a string', () => {
    expect(blank("a('/* no */') // yes", { comments: true })).toBe("a('/* no */')       ")
  })

  test('hides what strings hold, not their quotes', () => {
    expect(blank('a(\'bc\', "d", `e`)', { strings: true })).toBe('a(\'  \', " ", ` `)')
  })

  test('takes a regular expression with quotes and slashes for what it is', () => {
    expect(blank('x.match(/[\'"]\\/\\/[/*]/g) // c', { comments: true, strings: true })).toBe(
      'x.match(/[\'"]\\/\\/[/*]/g)     ',
    )
  })

  test('keeps every line where it was', () => {
    expect(blank('/* a\nb */\nc', { comments: true })).toBe('    \n    \nc')
  })
})
