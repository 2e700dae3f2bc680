import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../support/temp-store.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** The compiler's complaints about a file of type tests; empty when there are none. */
function complaints(path: string): string {
  const config = join(tempDir(), 'tsconfig.json')
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      include: [],
      files: [path],
      compilerOptions: { typeRoots: [join(ROOT, 'node_modules/@types')] },
    }),
  )
  try {
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    return ''
  } catch (error) {
    return String(Reflect.get(Object(error), 'stdout'))
  }
}

test('what should compile does, and what must not does not', () => {
  expect(complaints(join(import.meta.dirname, 'jobs.test-d.ts'))).toBe('')
}, 60_000)

test('a line that must not compile is noticed when it does', () => {
  const copy = join(tempDir(), 'made.test-d.mts')
  writeFileSync(copy, '// @ts-expect-error this is fine\nexport const fine = 1\n')

  expect(complaints(copy)).toContain('TS2578')
}, 60_000)
