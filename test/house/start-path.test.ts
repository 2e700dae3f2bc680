import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')

const LIST_LOADED = `
  import { registerHooks } from 'node:module'
  const loaded = []
  registerHooks({
    load(url, context, next) {
      loaded.push(url)
      return next(url, context)
    },
  })
  await import(process.argv[1])
  console.log(JSON.stringify(loaded))
`

test('importing millrace loads its own files and parts of Node, no package', () => {
  const entry = resolve(ROOT, 'src/index.ts')
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', LIST_LOADED, entry], { encoding: 'utf8' })

  const loaded = JSON.parse(output) as string[]

  expect(loaded.some((url) => url.endsWith('/src/index.ts'))).toBe(true)
  expect(loaded.filter((url) => url.includes('/node_modules/'))).toEqual([])
})
