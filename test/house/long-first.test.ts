import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { LONG } from '../long-first.ts'

test('every file that is begun first is there, once', () => {
  expect(LONG.filter((path) => !existsSync(resolve(import.meta.dirname, '../..', path)))).toEqual([])
  expect(new Set(LONG).size).toBe(LONG.length)
})
