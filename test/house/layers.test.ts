import { describe, expect, test } from 'vitest'
import table from '../../scripts/layers.json' with { type: 'json' }
import { cycles, layerFaults, layerOf } from '../../scripts/layers.ts'
import type { SourceFile } from '../../scripts/source.ts'

describe('the table', () => {
  test('names only folders that have a layer, in an order in which each imports from above', () => {
    const seen = new Set<string>()

    for (const { folder, mayImport } of table.layers) {
      expect([...mayImport].filter((each) => !seen.has(each))).toEqual([])
      seen.add(folder)
    }
  })

  test('lets only runtime/ and testing/ name a concrete store, and the suite its reference', () => {
    const naming = table.layers.filter((layer) => layer.mayImport.some((each) => table.drivers.includes(each)))

    expect(naming.map((layer) => layer.folder)).toEqual(['store/conformance', 'runtime', 'testing'])
  })
})

describe('layerOf', () => {
  test.each([
    ['src/index.ts', '.'],
    ['src/core/job/state.ts', 'core'],
    ['src/store/sqlite/errors.ts', 'store/sqlite'],
    ['src/store/url.ts', undefined],
    ['src/corehouse/a.ts', undefined],
  ])('%s is in %s', (path, layer) => {
    expect(layerOf(path, table)).toBe(layer)
  })
})

describe('layerFaults', () => {
  test.each([
    ['a lower layer importing a higher one', 'src/base/a.ts', "import { b } from '../client/b.ts'"],
    ['a type import', 'src/base/a.ts', "import type { B } from '../client/b.ts'"],
    ['a re-export', 'src/base/a.ts', "export { b } from '../client/b.ts'"],
    ['a lazy import', 'src/base/a.ts', "const b = () => import('../client/b.ts')"],
    ['a driver importing another', 'src/store/sqlite/a.ts', "import { b } from '../memory/b.ts'"],
    ['a concrete store in the client', 'src/client/a.ts', "import { b } from '../store/sqlite/b.ts'"],
    ['a concrete store in the command line', 'src/cli/a.ts', "import { b } from '../store/sqlite/b.ts'"],
    ['siblings', 'src/metrics/a.ts', "import { b } from '../alerts/b.ts'"],
    ['a part of Node in core/', 'src/core/a.ts', "import { b } from 'node:fs'"],
    ['a package in core/', 'src/core/a.ts', "import { b } from 'zod'"],
    ['the package by its own name', 'src/cli/a.ts', "import { b } from 'millrace'"],
    ['what is not published', 'src/cli/a.ts', "import { b } from '../../test/b.ts'"],
    ['a folder in no layer', 'src/extra/a.ts', ''],
  ])('refuses %s', (_, path, text) => {
    expect(layerFaults([{ path, text }], table)).toEqual([expect.stringContaining(path)])
  })

  test.each([
    ['a layer above', 'src/client/a.ts', "import { b } from '../core/b.ts'"],
    ['its own folder', 'src/client/a.ts', "import { b } from './b.ts'"],
    ['a store in the composition root', 'src/runtime/a.ts', "import { b } from '../store/sqlite/b.ts'"],
    ['the memory store in a unit test', 'src/client/a.test.ts', "import { b } from '../store/memory/b.ts'"],
    ['what all tests share in a unit test', 'src/client/a.test.ts', "import { b } from '../../test/support/b.ts'"],
    ['vitest in a unit test of core/', 'src/core/a.test.ts', "import { test } from 'vitest'"],
  ])('accepts %s', (_, path, text) => {
    expect(layerFaults([{ path, text }], table)).toEqual([])
  })

  test('says by which road the start path loads a heavy package', () => {
    const files: SourceFile[] = [
      { path: 'src/index.ts', text: "export { a } from './runtime/a.ts'" },
      { path: 'src/runtime/a.ts', text: "import { z } from 'zod'" },
    ]

    expect(layerFaults(files, table)).toEqual([
      'start path loads zod: src/index.ts → src/runtime/a.ts; import it lazily where it is used',
    ])
  })

  test('lets the start path load a heavy package lazily or for its types', () => {
    const files: SourceFile[] = [
      { path: 'src/index.ts', text: "export { a } from './runtime/a.ts'" },
      { path: 'src/runtime/a.ts', text: "import type { z } from 'zod'\nconst later = () => import('./b.ts')" },
      { path: 'src/runtime/b.ts', text: "import { z } from 'zod'" },
    ]

    expect(layerFaults(files, table)).toEqual([])
  })
})

describe('cycles', () => {
  test('finds a ring of files and names its members', () => {
    const edges = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ])

    expect(cycles(edges)).toEqual(['cycle: b → c → b'])
  })

  test('finds none where two roads meet', () => {
    const edges = new Map([
      ['a', ['b', 'c']],
      ['b', ['d']],
      ['c', ['d']],
      ['d', []],
    ])

    expect(cycles(edges)).toEqual([])
  })
})
