/** What a process loads before its first job: the price of every worker in memory and time. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bundle } from '../../scripts/bundle.ts'

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

const RUN_A_JOB = `
  const { defineJob, Millrace } = await import(process.argv[1])
  const mill = await Millrace.open({ store: 'sqlite:' + process.argv[2] })
  if (process.argv[3] === 'enqueue') await mill.enqueue(defineJob({ name: 'noop', run: async () => {} }), {})
  else await mill.work([defineJob({ name: 'noop', run: async () => {} })], { drain: true }).done
  await mill.close()
  console.log(JSON.stringify(process.moduleLoadList))
`

test('importing millrace loads its own files and parts of Node, no package', () => {
  const entry = resolve(ROOT, 'src/index.ts')

  const loaded = run(LIST_LOADED, entry)

  expect(loaded.some((url) => url.endsWith('/src/index.ts'))).toBe(true)
  expect(loaded.filter((url) => url.includes('/node_modules/'))).toEqual([])
})

test('a worker of the built package runs a job without the costly parts of Node', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-start-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  await bundle(join(folder, 'dist'))
  const entry = join(folder, 'dist/index.js')
  const store = join(folder, 'jobs.db')
  run(RUN_A_JOB, entry, store, 'enqueue')

  const loaded = run(RUN_A_JOB, entry, store, 'work')

  expect(loaded).toContain('NativeModule sqlite')
  // 3 MiB, 0.5 MiB; what `import` of node:util brings with it, 3 MiB.
  for (const costly of ['crypto', 'zlib', 'internal/util/parse_args/parse_args'])
    expect(loaded).not.toContain(`NativeModule ${costly}`)
})

function run(script: string, ...args: readonly string[]): readonly string[] {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, ...args], { encoding: 'utf8' })
  return JSON.parse(output) as string[]
}
