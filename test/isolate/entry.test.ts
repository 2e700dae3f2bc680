/** Where isolates load handlers from: TypeScript, JavaScript, a bundle, and what `millrace work` has loaded. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'
import { describe, expect, test } from 'vitest'
import { defineJob, type Entry, Millrace } from '../../src/index.ts'
import { appFolder, runIn } from '../support/app-folder.ts'
import { openMill } from '../support/mill.ts'
import * as handlers from './handlers.ts'
import { ended } from './scene.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const twice = {
  thread: defineJob({ name: 'twice-thread', isolate: 'thread', retry: false, run: (n: number) => n * 2 }),
  process: defineJob({ name: 'twice-process', isolate: 'process', retry: false, run: (n: number) => n * 2 }),
}
/** Handlers of the same two names; `discards` when their input is negative. */
const SOURCE = (millrace: string) => `
import { defineJob, Discard, handle } from '${millrace}'
const retry = false
const thread = defineJob({ name: 'twice-thread', isolate: 'thread', retry })
export default handle(thread, (n) => {
  if (n < 0) throw new Discard('negative')
  return n * 2
})
export const inProcess = defineJob({ name: 'twice-process', isolate: 'process', retry, run: (n) => {
  if (n < 0) throw new Discard('negative')
  return n * 2
} })
export const other = 'no handler'
`

/** Runs both kinds with this entry, and expects what the handlers of `SOURCE` do. */
async function expectBoth(entry: Entry): Promise<void> {
  const mill = await openMill({ store: 'memory:' })
  mill.work([twice.thread, twice.process], { entry })
  for (const job of [twice.thread, twice.process]) {
    const good = await mill.enqueue(job, 21)
    const bad = await mill.enqueue(job, -1)
    expect(await good.result({ timeout: '60s' })).toBe(42)
    expect(await ended(mill, bad.id)).toMatchObject({
      state: 'failed',
      reason: 'discarded',
      error: { message: 'negative' },
    })
  }
}

describe('an entry', () => {
  test('may be JavaScript', async () => {
    const folder = appFolder()
    writeFileSync(join(folder, 'handlers.mjs'), SOURCE('millrace'))

    await expectBoth(pathToFileURL(join(folder, 'handlers.mjs')))
  })

  test('may be TypeScript, named by its path', async () => {
    const folder = appFolder()
    writeFileSync(join(folder, 'handlers.ts'), `${SOURCE('millrace')}\nexport const typed: number = 1\n`)

    await expectBoth(join(folder, 'handlers.ts'))
  })

  test('may be a bundle that has its own copy of millrace in it', async () => {
    const folder = appFolder()
    writeFileSync(join(folder, 'handlers.ts'), SOURCE(join(ROOT, 'src/index.ts')))
    const build = await rolldown({
      input: join(folder, 'handlers.ts'),
      platform: 'node',
      external: [/^node:/, 'kysely', 'piscina'],
    })
    await build.write({ dir: join(folder, 'out'), format: 'esm', minify: true })
    await build.close()

    await expectBoth(join(folder, 'out/handlers.js'))
  })

  test('may be a list, of which no more is loaded than it takes to find the handler', async () => {
    const folder = appFolder()
    writeFileSync(join(folder, 'none.mjs'), 'export const nothing = 1')
    writeFileSync(join(folder, 'handlers.mjs'), SOURCE('millrace'))
    writeFileSync(join(folder, 'broken.mjs'), "throw new Error('loaded')")

    await expectBoth(['none.mjs', 'handlers.mjs', 'broken.mjs'].map((name) => join(folder, name)))
  })

  test('may be one for each job', async () => {
    const folder = appFolder()
    writeFileSync(join(folder, 'handlers.mjs'), SOURCE('millrace'))
    const path = join(folder, 'handlers.mjs')

    await expectBoth({ 'twice-thread': path, 'twice-process': pathToFileURL(path) })
  })

  test.each([
    ["throw new Error('at the top')", 'at the top'],
    ['export const nothing = 1', 'no handler of twice-process is exported by'],
    ["import './missing.mjs'", 'missing.mjs'],
  ])('that is no use fails the attempt with the reason: %s', async (source, message) => {
    const folder = appFolder()
    writeFileSync(join(folder, 'handlers.mjs'), source)
    const mill = await openMill({ store: 'memory:' })
    mill.work([twice.process], { entry: join(folder, 'handlers.mjs') })

    const { id } = await mill.enqueue(twice.process, 1)

    expect(await ended(mill, id)).toMatchObject({
      ...{ state: 'failed', reason: 'exhausted', attempts: 1, crashes: 0 },
      error: { code: 'ISOLATE_ENTRY', message: expect.stringContaining(message) },
    })
  })

  test('that starts a worker of its own is told to name the handlers alone', async () => {
    const folder = appFolder()
    writeFileSync(
      join(folder, 'app.mjs'),
      `import { Millrace } from 'millrace'
      ${SOURCE('millrace')}
      const mill = await Millrace.open({ store: 'memory:' })
      mill.work([inProcess], { entry: new URL(import.meta.url) })`,
    )
    const mill = await openMill({ store: 'memory:' })
    mill.work([twice.process], { entry: join(folder, 'app.mjs') })

    const { id } = await mill.enqueue(twice.process, 1)

    expect(await ended(mill, id)).toMatchObject({
      error: { code: 'ISOLATE_ENTRY', message: expect.stringContaining('a worker was to be started in an isolate') },
    })
  })
})

describe('work()', () => {
  test('says what to write when a job is to be isolated and there is no entry', async () => {
    const mill = await openMill({ store: 'memory:' })

    expect(() => mill.work([twice.thread])).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('twice-thread runs in an isolate'),
        hint: expect.stringContaining("entry: new URL('./handlers.js', import.meta.url)"),
      }),
    )
  })

  test.each([
    ['./handlers.js', 'neither a file URL nor an absolute path'],
    ['https://example.org/handlers.js', 'neither a file URL nor an absolute path'],
    [new URL('./nowhere.ts', import.meta.url), 'no such file'],
  ])('refuses the entry %s', async (entry, reason) => {
    const mill = await openMill({ store: 'memory:' })

    expect(() => mill.work([twice.thread], { entry })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(reason) }),
    )
  })

  test('needs no entry while no job is to be isolated', async () => {
    const mill = await openMill({ store: 'memory:' })

    await mill.work([handlers.beside], { drain: true }).done
  })
})

test('millrace work loads into an isolate the one file that has the handler', async () => {
  const folder = appFolder()
  mkdirSync(join(folder, 'jobs'))
  const handler = (name: string) => `import { defineJob } from 'millrace'
    import { appendFileSync } from 'node:fs'
    appendFileSync('loaded', '${name} ' + process.pid + '\\n')
    export default defineJob({ name: '${name}', isolate: 'process', retry: false, run: () => process.pid })`
  writeFileSync(join(folder, 'jobs/one.handler.mjs'), handler('one'))
  writeFileSync(join(folder, 'jobs/two.handler.mjs'), handler('two'))
  writeFileSync(join(folder, 'millrace.config.mjs'), "export default { handlers: './jobs/*.mjs' }")
  const mill = await Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}` })
  const { id } = await mill.enqueue(defineJob({ name: 'two' }))

  expect(await runIn(folder, 'millrace work --drain --quiet')).toMatchObject({ code: 0, stderr: '' })

  const pid = await mill.result(id)
  await mill.close()
  const { stdout } = await runIn(folder, 'cat loaded')
  const [worker] = stdout.split(/\s/).filter((word) => /^\d+$/.test(word))
  expect(stdout).toBe(`one ${worker}\ntwo ${worker}\ntwo ${pid}\n`)
  expect(pid).not.toBe(Number(worker))
})

test('the built package finds what runs in its isolates', async () => {
  const { bundle } = await import('../../scripts/bundle.ts')
  const folder = appFolder()
  await bundle(join(folder, 'built/dist'))
  writeFileSync(join(folder, 'built/package.json'), '{ "type": "module" }')
  mkdirSync(join(folder, 'built/node_modules'))
  symlinkSync(join(ROOT, 'node_modules/piscina'), join(folder, 'built/node_modules/piscina'))
  writeFileSync(join(folder, 'handlers.mjs'), SOURCE('./built/dist/index.js'))
  writeFileSync(
    join(folder, 'app.mjs'),
    `import { Millrace } from './built/dist/index.js'
    import thread, { inProcess } from './handlers.mjs'
    const mill = await Millrace.open({ store: 'memory:' })
    mill.work([thread, inProcess], { entry: new URL('./handlers.mjs', import.meta.url) })
    for (const job of [thread.definition, inProcess]) console.log(await (await mill.enqueue(job, 4)).result())
    await mill.close()`,
  )

  expect(await runIn(folder, 'node app.mjs')).toMatchObject({
    ...{ code: 0, stderr: '', stdout: '8\n8\n' },
  })
})
