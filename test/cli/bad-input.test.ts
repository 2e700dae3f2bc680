/**
 * Bad input at the command line: one clear message on stderr with its code and what to do, nothing on stdout, and the
 * documented exit code. What the store may suffer is in test/faults; here is how it is told.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import { appFolder, runIn } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { lacks } from '../support/needs.ts'
import { giveToOrdinaryUser, ordinaryUser } from '../support/other-user.ts'
import { tempDir } from '../support/temp-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })
const BIN = 'node_modules/.bin/millrace'

/** One message: what with its code, then what to do. What a change would meet may stand before it. */
function expectMessage(stderr: string, code: string, said: string): void {
  const all = stderr.trimEnd().split('\n')
  const lines = all.slice(
    Math.max(
      0,
      all.findIndex((line) => line.startsWith('✕')),
    ),
  )
  expect(lines[0], stderr).toMatch(new RegExp(`^✕ .+  ${code}$`))
  expect(lines.length, stderr).toBeLessThanOrEqual(3)
  expect(lines.length, stderr).toBeGreaterThanOrEqual(2)
  expect(stderr).toContain(said)
}

async function storeIn(folder: string, jobs = 0): Promise<string[]> {
  const mill = await Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}?durability=normal` })
  const made = await mill.enqueueMany(
    plain,
    Array.from({ length: jobs }, (_, i) => i),
  )
  await mill.close()
  return made.map(({ id }) => id)
}

describe('a configuration', () => {
  test.each([
    ['an unknown option', 'export default { handler: "x" }', 'OPTION_UNKNOWN', 'handlers'],
    ['no default export', 'export const config = {}', 'CONFIG_INVALID', 'export default defineConfig'],
    ['a syntax error', 'export default {', 'CONFIG_INVALID', 'millrace.config.ts'],
    ['a store that is no text', 'export default { store: 5 }', 'CONFIG_INVALID', 'sqlite:'],
    ['handlers that are no text', 'export default { handlers: 5 }', 'CONFIG_INVALID', 'handlers'],
    ['an unknown store', 'export default { store: "mongo:x" }', 'STORE_URL', 'sqlite:PATH'],
    ['a bad key', 'export default { encryption: { keys: "k1:abc" } }', 'KEY_INVALID', 'createKeyRing'],
  ])('with %s ends with 3', async (_, text, code, said) => {
    const folder = tempDir()
    writeFileSync(join(folder, 'millrace.config.ts'), text)

    const ran = await cliHere(folder, ['job', 'list'])

    expect(ran).toMatchObject({ code: 3, stdout: '' })
    expectMessage(ran.stderr, code, said)
    expect(readdirSync(folder).filter((name) => name.includes('.db'))).toEqual([])
  })

  test.each([
    ['concurrency: 0', 'CONFIG_INVALID', 'concurrency'],
    ['worker: { leese: "1s" }', 'OPTION_UNKNOWN', 'lease'],
    ['retention: { completed: "long" }', 'DURATION_INVALID', 'long'],
  ])('with { %s } is refused by work', async (text, code, said) => {
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(
      join(folder, 'jobs/a.handler.mjs'),
      "import { defineJob } from 'millrace'\nexport default defineJob({ name: 'a', run: () => 1 })",
    )
    writeFileSync(join(folder, 'millrace.config.ts'), `export default { handlers: './jobs/*.mjs', ${text} }`)

    const ran = await runIn(folder, 'millrace work --drain')

    expect(ran.code).toBe(code === 'DURATION_INVALID' ? 2 : 3)
    expectMessage(ran.stderr, code, said)
  })
})

describe('a store', () => {
  test('that is no database, newer or in no folder ends with 3', async () => {
    const folder = tempDir()
    writeFileSync(join(folder, 'text.db'), 'this is no database '.repeat(300))
    await storeIn(folder)
    const db = new DatabaseSync(join(folder, 'millrace.db'))
    db.exec('INSERT INTO millrace_schema (version, applied_at, oldest) VALUES (999, 0, 999)')
    db.close()

    for (const [store, code, said] of [
      ['text.db', 'STORE_CORRUPT', 'not an SQLite database'],
      ['millrace.db', 'STORE_NEWER', 'Update millrace'],
      ['no/such.db', 'STORE_UNREACHABLE', 'mkdir -p'],
    ] as const) {
      for (const words of ['job list', 'queue clear a --yes', 'job add a']) {
        const ran = await cliHere(folder, [...words.split(' '), '--store', `sqlite:${join(folder, store)}`])
        expect(ran, `${words} ${store}: ${ran.stderr}`).toMatchObject({ code: 3, stdout: '' })
        expectMessage(ran.stderr, code, said)
      }
    }
  }, 120_000)

  test('that another program has locked ends with 3, and is read all the same', async () => {
    const folder = appFolder()
    const [id = ''] = await storeIn(folder, 1)
    const db = new DatabaseSync(join(folder, 'millrace.db'))
    db.exec('BEGIN IMMEDIATE')

    const add = await runIn(folder, 'millrace job add a --store sqlite:./millrace.db?busy=100ms')
    const list = await runIn(folder, 'millrace job list')
    db.exec('ROLLBACK')
    db.close()

    expect(add).toMatchObject({ code: 3, stdout: '' })
    expectMessage(add.stderr, 'STORE_BUSY', 'locked by another program')
    expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining(id) })
  }, 60_000)

  test('that is read-only ends with 3', async () => {
    const folder = appFolder()
    await storeIn(folder, 1)
    chmodSync(folder, 0o755)
    giveToOrdinaryUser(folder, join(folder, 'millrace.db'))
    chmodSync(join(folder, 'millrace.db'), 0o400)

    const ran = spawnSync(process.execPath, [BIN, 'job', 'add', 'a'], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', MILLRACE_STORE: '' },
      ...ordinaryUser(),
    })

    expect(ran).toMatchObject({ status: 3, stdout: '' })
    expectMessage(ran.stderr, 'STORE_READ_ONLY', 'write permission')
  }, 60_000)

  test('that is deleted under a worker ends work with 3', async () => {
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(
      join(folder, 'jobs/a.handler.mjs'),
      "import { defineJob } from 'millrace'\nexport default defineJob({ name: 'a', run: () => 1 })",
    )
    writeFileSync(
      join(folder, 'millrace.config.ts'),
      "export default { handlers: './jobs/*.mjs', worker: { poll: '20ms' } }",
    )
    await storeIn(folder)
    const child = spawn(process.execPath, [BIN, 'work'], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1', MILLRACE_STORE: '' },
    })
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
      if (stderr.includes('Working on')) rmSync(join(folder, 'millrace.db'), { force: true })
    })
    const code = await new Promise((done) => child.on('close', done))

    expect(code, stderr).toBe(3)
    expect(stderr).toMatch(/✕ .*was deleted while it was open {2}STORE_MOVED\n/)
  }, 60_000)

  const canMount = spawnSync('unshare', ['-rm', 'true']).status === 0
  test.skipIf(lacks('unprivileged mounts (unshare -rm)', canMount))(
    'on a disk that is really full ends with 3, and what was acknowledged is there (needs: unprivileged mounts)',
    async () => {
      const folder = appFolder()
      mkdirSync(join(folder, 'disk'))
      const store = '--store sqlite:./disk/millrace.db'
      const script = `mount -t tmpfs -o size=1500k none disk || exit 99
millrace migrate --quiet ${store}
i=0
while id=$(millrace test --quiet --json --count 300 --payload-size 1kb --no-worker --timeout 1ms ${store} 2>error); [ $? -eq 4 ] && [ $i -lt 20 ]; do i=$((i+1)); done
cat error
millrace job add small --data '"${'x'.repeat(900)}"' ${store}; echo "exit $?"
millrace job list --limit 200 ${store} | wc -l`
      writeFileSync(join(folder, 'fill.sh'), script)

      const ran = await runIn(folder, 'unshare -rm sh fill.sh')

      expect(ran.code, ran.stderr).toBe(0)
      const [error = ''] = ran.stdout.split('\n')
      expect(JSON.parse(error).error.code).toMatch(/^(STORE_FULL|BULK_PARTIAL)$/)
      expect(ran.stdout).toMatch(/exit (0|3)\n/)
      expect(ran.stdout.trimEnd()).toMatch(/\n200$/)
    },
    120_000,
  )
})

describe('an input', () => {
  test.each<[string[], string, string]>([
    [['job', 'add', 'x', '--data', '{'], 'USAGE', 'not JSON'],
    [['job', 'add', 'x', '--data', '["[[[['], 'USAGE', 'not JSON'],
    [['job', 'add', 'x', '--queue', 'a b'], 'NAME_INVALID', 'a b'],
    [['job', 'add', 'x', '--delay', 'soon'], 'DURATION_INVALID', 'soon'],
    [['job', 'add', 'x', '--timeout', '0ms'], 'USAGE', 'timeout'],
    [['job', 'add', 'x', '--unique', ''], 'USAGE', 'unique'],
    [['job', 'add', 'x'.repeat(129)], 'NAME_INVALID', 'cannot be used'],
    [['job', 'add', 'x', '--data', `"${'x'.repeat(1_100_000)}"`], 'PAYLOAD_TOO_LARGE', 'at most'],
    [['job', 'move', 'a b', '1'], 'NAME_INVALID', 'a b'],
    [['job', 'list', '--limit', '201'], 'USAGE', 'from 1 to 200'],
    [['job', 'list', '--state', 'pendign'], 'USAGE', 'pending'],
    [['test', '--count', '1e3'], 'USAGE', '1e3'],
    [['test', '--count', '10', '--fail-rate', '2'], 'USAGE', '0 to 1'],
    [['test', '--count', '10', '--payload-size', 'huge'], 'SIZE_INVALID', 'huge'],
    [['test', '--timeout', 'soon'], 'DURATION_INVALID', 'soon'],
    [['queue', 'list', 'extra'], 'USAGE', 'millrace queue list'],
    [['job', 'show'], 'USAGE', 'millrace job show <id>'],
    [['queue:lst'], 'USAGE', 'queue:list'],
    [['job', 'lst'], 'USAGE', 'job list'],
    [['migrate', 'sideways'], 'USAGE', 'sideways'],
  ])('millrace %j ends with 2 and one message', async (args, code, said) => {
    const ran = await cliHere(tempDir(), args)

    expect(ran.stdout).toBe('')
    expect(ran.code, ran.stderr).toBe(2)
    expectMessage(ran.stderr, code, said)
  })

  test('is told as JSON with --json, with the values', async () => {
    const folder = tempDir()

    const [usage, missing, unknown] = [
      await cliHere(folder, ['queue:retyr', '--json']),
      await cliHere(folder, ['job', 'show', 'nope', '--json']),
      await cliHere(folder, ['queue', 'stats', 'nope', '--json']),
    ]

    expect(usage.code).toBe(2)
    expect(JSON.parse(usage.stderr)).toMatchObject({
      error: { code: 'USAGE', hint: expect.stringContaining('queue:retry') },
    })
    expect(missing.code).toBe(5)
    expect(JSON.parse(missing.stderr)).toMatchObject({ error: { code: 'JOB_NOT_FOUND', fields: { id: 'nope' } } })
    expect(unknown.code).toBe(5)
    expect(JSON.parse(unknown.stderr)).toMatchObject({ error: { code: 'QUEUE_NOT_FOUND', fields: { queue: 'nope' } } })
  })
})

describe('a change of many', () => {
  test('that stops half-way prints what was done, says what is left, and ends with 1', async () => {
    const folder = appFolder()
    const ids = await storeIn(folder, 1200)
    const db = new DatabaseSync(join(folder, 'millrace.db'))
    db.exec(
      `CREATE TRIGGER theirs BEFORE INSERT ON millrace_archive WHEN NEW.id = '${ids[700]}' BEGIN SELECT RAISE(ABORT, 'not this one'); END`,
    )
    db.close()

    const ran = await runIn(folder, `millrace job cancel --yes ${ids.join(' ')}`)
    const asJson = await runIn(folder, `millrace job cancel --yes --json ${ids.slice(500).join(' ')}`)

    expect(ran.code).toBe(1)
    expect(ran.stdout.trimEnd().split('\n')).toEqual(ids.slice(0, 500).map((id) => `${id}\tcancelled`))
    expect(ran.stderr).toContain('stopped after 500 of 1200 jobs')
    expect(ran.stderr).toContain('BULK_PARTIAL')
    expect(asJson.code).not.toBe(0)
    expect(asJson.stdout).toBe('')
    expect(JSON.parse(asJson.stderr).error.code).toBe('STORE_CONSTRAINT')
    const mill = await Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}` })
    expect(await mill.count({ state: 'cancelled' })).toMatchObject({ count: 500 })
    await mill.close()
  }, 60_000)
})

describe('L3: what deletes', () => {
  test.each([
    'job delete ID',
    'dead delete ID',
    'dead delete --all',
    'queue:flush',
    'queue clear default',
    'queue:purge default',
  ])('millrace %s needs --yes where nobody can be asked, and names the store', async (words) => {
    const folder = tempDir()
    const [id = ''] = await storeIn(folder, 1)
    const mill = await Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}` })
    const fails = defineJob({ name: 'fails', retry: false, run: () => Promise.reject(new Error('no')) })
    await mill.enqueue(fails)
    await mill.work([fails], { drain: true }).done
    await mill.close()

    const ran = await cliHere(folder, words.replace('ID', id).split(' '))

    expect(ran).toMatchObject({ code: 6, stdout: '' })
    expectMessage(ran.stderr, 'CONFIRMATION_NEEDED', join(folder, 'millrace.db'))
  })
})
