/** The requirements of the codec and of input that no other test holds, and that each of them has a test of its name. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { blank, readSources } from '../../scripts/source.ts'
import { defineJob } from '../../src/index.ts'
import { appFolder, runIn } from '../support/app-folder.ts'
import { openMill } from '../support/mill.ts'
import { tally } from '../support/tally.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SOURCES = readSources(ROOT, ['src']).filter(({ path }) => !path.endsWith('.test.ts'))
const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

describe('every security requirement', () => {
  const ids = [...Array.from({ length: 18 }, (_, i) => `C${i + 1}`), 'D1', 'D2', 'D3']
  const names = readSources(ROOT, ['src', 'test']).flatMap(({ path, text }) =>
    path.endsWith('.test.ts')
      ? [...text.matchAll(/\b(?:describe|it|test)(?:\.each\([^)]*\))?\(\s*['"`]([^\n]*)/g)].map((m) => m[1] ?? '')
      : [],
  )

  test.each(ids)('%s has a test that names it', (id) => {
    expect(names.filter((name) => new RegExp(`\\b${id}\\b`).test(name))).not.toEqual([])
  })
})

describe('C3: no cipher with a limit of messages is used', () => {
  const CODEC = SOURCES.filter(({ path }) => path.startsWith('src/codec/'))
  const code = (path: string) => blank(CODEC.find((file) => file.path === path)?.text ?? '', { comments: true })

  test('ciphers are made in one file, and its nonces come from the random source alone', () => {
    const makers = SOURCES.filter(({ text }) =>
      /create(?:C|Dec)ipher|createCipheriv/.test(blank(text, { comments: true })),
    )

    expect(makers.map(({ path }) => path)).toEqual(['src/codec/xaes.ts'])
    expect(code('src/codec/xaes.ts').match(/nonces\b/g)?.length).toBeGreaterThan(2)
    expect(code('src/codec/xaes.ts')).toMatch(/randomFillSync\(nonces\)/)
    expect(code('src/codec/xaes.ts')).not.toMatch(/counter|jobId|Date\.now/)
  })
})

describe('D1: data is data', () => {
  test('nothing of a job is run, revived or read as anything but JSON', () => {
    for (const { path, text } of SOURCES) {
      const bare = blank(text, { comments: true, strings: true })
      expect(bare, path).not.toMatch(/\beval\s*\(|\bnew Function\b|\bFunction\(/)
      expect(bare, `${path}: a reviver`).not.toMatch(/JSON\.parse\([^()]*(?:\([^()]*\)[^()]*)*,/)
      // One file has V8 collect garbage, which is to be had by these two modules: it may use nothing else of them.
      const read = path.endsWith('src/worker/memory.ts') ? withoutCollecting(text) : text
      expect(blank(read, { comments: true }), path).not.toMatch(/['"](?:node:)?(?:vm|v8)['"]|['"](?:yaml|js-yaml)['"]/)
    }
  })

  test('a class comes back as plain data', async () => {
    const mill = await openMill({ store: 'memory:' })
    class Order {
      readonly id = 1
    }
    const job = await mill.enqueue(plain, { order: new Order(), at: new Date(0) })

    const input = (await mill.get(job.id))?.input as { order: object }

    expect(input).toEqual({ order: { id: 1 }, at: '1970-01-01T00:00:00.000Z' })
    expect(Object.getPrototypeOf(input.order)).toBe(Object.prototype)
  })
})

describe('D2: keys that could change every object', () => {
  const HOSTILE = [
    '{"__proto__":{"polluted":1}}',
    '{"a":[{"__proto__":null}]}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"\\u005f_proto__":{"polluted":1}}',
  ]

  test.each(HOSTILE)('are refused as input and as options: %s', async (text) => {
    const mill = await openMill({ store: 'memory:' })

    await expect(mill.enqueue(plain, JSON.parse(text))).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' })
    for (const call of [
      () => mill.enqueue(plain, 1, JSON.parse(text)),
      () => mill.list(JSON.parse(text)),
      async () => mill.work([plain], JSON.parse(text)),
      async () => defineJob({ name: 'x', ...JSON.parse('{}'), retry: JSON.parse(text) }),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'OPTION_UNKNOWN' })
    }
    expect(await mill.count()).toMatchObject({ count: 0 })
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    tally({ 'inputs refused': 1 })
  })

  test('are refused at the command line and in a configuration', async () => {
    const folder = appFolder()
    for (const text of HOSTILE) {
      const ran = await runIn(folder, `millrace job add x --data '${text}'`)
      expect(ran, ran.stderr).toMatchObject({ code: 2, stdout: '' })
      expect(ran.stderr).toContain('PAYLOAD_INVALID')
    }
    const { writeFileSync } = await import('node:fs')
    writeFileSync(join(folder, 'millrace.config.ts'), `export default JSON.parse('${HOSTILE[0]}')`)
    const ran = await runIn(folder, 'millrace job list')
    expect(ran.code).toBe(3)
    expect(ran.stderr).toContain('OPTION_UNKNOWN')
  }, 60_000)

  test('as names lead to no inherited function: constructor is no handler, no queue and no state', async () => {
    const mill = await openMill({ store: 'memory:' })
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      const job = await mill.enqueue(defineJob({ name }), undefined, { queue: name, tags: [name], unique: name })
      expect(job.status, name).toBe('created')
      await expect(mill.list({ state: name as never })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    }
    await mill.work([plain], { drain: true }).done
    expect(await mill.count({ state: 'pending' })).toMatchObject({ count: 4 })
    expect((await mill.queues.list()).map((queue) => queue.name).sort()).toEqual([
      '__proto__',
      'constructor',
      'hasOwnProperty',
      'toString',
    ])
  })
})

describe('D3: limits', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])
  const keyed = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))

  test.each<[string, unknown, unknown]>([
    ['a payload of 1 MiB', ['x'.repeat(524_000), 'x'.repeat(524_000)], ['x'.repeat(525_000), 'x'.repeat(525_000)]],
    ['64 levels', nested(64), nested(65)],
    ['10,000 keys', keyed(10_000), keyed(10_001)],
  ])('%s is taken, more is PAYLOAD_TOO_LARGE with the limit', async (_, most, more) => {
    const mill = await openMill({ store: 'memory:' })

    expect((await mill.enqueue(plain, most)).status).toBe('created')
    await expect(mill.enqueue(plain, more)).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      fields: { max: expect.any(Number) },
    })
    expect(await mill.count()).toMatchObject({ count: 1 })
  })

  test.each<[string, object, object]>([
    ['a queue of 64', { queue: 'q'.repeat(64) }, { queue: 'q'.repeat(65) }],
    [
      '32 tags',
      { tags: Array.from({ length: 32 }, (_, i) => `${i}`) },
      { tags: Array.from({ length: 33 }, (_, i) => `${i}`) },
    ],
    ['a tag of 64', { tags: ['t'.repeat(64)] }, { tags: ['t'.repeat(65)] }],
  ])('%s is taken, more is NAME_INVALID', async (_, most, more) => {
    const mill = await openMill({ store: 'memory:' })

    expect((await mill.enqueue(plain, 1, most)).status).toBe('created')
    await expect(mill.enqueue(plain, 1, more)).rejects.toMatchObject({ code: 'NAME_INVALID' })
  })

  test('a name has 128 characters, a page 200 jobs, and thousands of inputs go in batches', async () => {
    const mill = await openMill({ store: 'memory:' })

    expect(defineJob({ name: 'n'.repeat(128) }).name).toHaveLength(128)
    expect(() => defineJob({ name: 'n'.repeat(129) })).toThrow('cannot be used')
    await mill.enqueueMany(
      plain,
      Array.from({ length: 2100 }, (_, i) => i),
    )
    expect((await mill.list({ limit: 200 })).jobs).toHaveLength(200)
    await expect(mill.list({ limit: 201 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test('the documented limits are these', () => {
    const page = readFileSync(join(ROOT, 'docs/encryption.md'), 'utf8')
    for (const row of ['| JSON text | 1 MiB | 16 MiB |', '| levels | 64 | 512 |', '| keys of all objects | 10,000 |'])
      expect(page).toContain(row)
  })
})

/** The source without its two imports, once all that it does with them is setting flags and getting `gc`. */
function withoutCollecting(text: string): string {
  expect(text.match(/runInNewContext\(.*/g)).toEqual([`runInNewContext("typeof gc === 'function' ? gc : undefined")`])
  expect(text.match(/\b(?:setFlagsFromString|runInNewContext)\b(?!\(['"])/g)).toEqual([
    'setFlagsFromString',
    'runInNewContext',
  ])
  return text.replace(/import \{ (?:setFlagsFromString|runInNewContext) \} from '[^']*'\n/g, '')
}
