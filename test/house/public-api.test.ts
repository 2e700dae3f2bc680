import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const SRC = resolve(import.meta.dirname, '../../src')
// What package.json exports; that each is there is the business of `npm run check`.
const INDEXES = ['index.ts', 'testing/index.ts', 'store/contract/index.ts', 'tx/index.ts'].filter((path) =>
  existsSync(join(SRC, path)),
)

describe('the public interface', () => {
  test('has these values', async () => {
    expect(Object.keys(await import('../../src/index.ts')).sort()).toEqual([
      'ConfigError',
      'Discard',
      'ManualClock',
      'Millrace',
      'MillraceError',
      'PayloadError',
      'RetryAfter',
      'StoreError',
      'createKeyRing',
      'defineConfig',
      'defineJob',
      'handle',
      'keyRingFromEnv',
      'keyRingFromFile',
      'shape',
    ])
  })

  test.each(INDEXES)('%s only re-exports, by name', (path) => {
    const text = readFileSync(join(SRC, path), 'utf8')
    const rest = text
      .replaceAll(/\/\*[\s\S]*?\*\//g, '')
      .replaceAll(/^export (?:type )?\{[^}]*\} from '[^']+'$/gm, '')
      .trim()

    expect(rest).toBe('')
  })
})
