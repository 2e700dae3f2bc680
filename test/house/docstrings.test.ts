import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { docstringFaults } from '../../scripts/docstrings.ts'
import { readSources } from '../../scripts/source.ts'

const faultsOf = (text: string) => docstringFaults([{ path: 'src/a.ts', text }])

describe('docstringFaults', () => {
  test.each([
    ['export const one = 1', 1],
    ['export function run(): void {}', 1],
    ['export async function run(): Promise<void> {}', 1],
    ['export class Store {}', 1],
    ['export abstract class Store {}', 1],
    ['export interface Options {}', 1],
    ['export type Name = string', 1],
    ['/** What it is. */\nexport const one = 1', 0],
    ['/**\n * What it is,\n * in two lines.\n */\nexport class Store {}', 0],
    ['// What it is.\nexport const one = 1', 1],
    ['/* What it is. */\nexport const one = 1', 1],
    ['/** The file. */\n\nexport const one = 1', 1],
    ['/** Of another. */\nconst two = 2\nexport const one = 1', 1],
    ["export { one } from './one.ts'", 0],
    ["export type { One } from './one.ts'", 0],
    ['const one = 1', 0],
  ])('finds in %j so many: %i', (text, count) => {
    expect(faultsOf(text)).toHaveLength(count)
  })

  test('names the place', () => {
    expect(faultsOf('/** A. */\nexport const a = 1\n\nexport const b = 2\n')).toEqual([
      'src/a.ts:4: b has no docstring',
    ])
  })

  test('is content with a docstring on the first overload', () => {
    expect(faultsOf('/** A. */\nexport function a(x: 1): 1\nexport function a(x: 2): 2\n')).toEqual([])
  })
})

test('every export of the sources has a docstring', () => {
  const sources = readSources(resolve(import.meta.dirname, '../..'), ['src', 'scripts'])

  expect(docstringFaults(sources.filter(({ path }) => !path.endsWith('.test.ts')))).toEqual([])
})
