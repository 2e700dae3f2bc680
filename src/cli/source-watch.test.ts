import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lacks } from '../../test/support/needs.ts'
import { tempDir } from '../../test/support/temp-store.ts'
import { watchSources } from './source-watch.ts'

async function watched() {
  const folder = tempDir()
  for (const name of ['jobs', 'node_modules', '.git']) mkdirSync(join(folder, name))
  const changes: string[] = []
  const end = await watchSources(folder, (path) => changes.push(path))
  onTestFinished(end)
  const write = (path: string) => writeFileSync(join(folder, path), `${Math.random()}`)
  const told = async (...expected: readonly string[]) => {
    await expect.poll(() => changes, { timeout: 10_000 }).toEqual(expected)
  }
  return { folder, changes, write, told, end }
}

test('a burst of writes is told once, with the file that changed first', async () => {
  const { write, told } = await watched()

  for (const path of ['jobs/a.ts', 'jobs/b.mjs', 'jobs/a.ts', 'package.json', '.env']) write(path)

  await told('jobs/a.ts')
  write('jobs/b.mjs')
  await told('jobs/a.ts', 'jobs/b.mjs')
})

test('what is no source of the app, and what is installed, is passed over', async () => {
  const { write, told } = await watched()

  for (const path of ['millrace.db', 'jobs/notes.txt', 'node_modules/x.js', '.git/config.json', 'jobs/.a.ts.swp'])
    write(path)
  write('jobs/a.ts')

  await told('jobs/a.ts')
})

test('of JSON only package.json and tsconfig*.json count, since a handler may write others', async () => {
  const { write, told } = await watched()

  for (const path of ['data.json', 'jobs/result.json', 'my-package.json', 'package-lock.json']) write(path)
  write('jobs/tsconfig.build.json')

  await told('jobs/tsconfig.build.json')
  write('package.json')
  await told('jobs/tsconfig.build.json', 'package.json')
})

const limited = (limit: string, command: readonly string[]) =>
  spawnSync('unshare', ['-r', 'sh', '-c', `echo ${limit} && exec "$@"`, 'sh', ...command], { encoding: 'utf8' })
const fewWatches = '1 >/proc/sys/user/max_inotify_watches'
const hasLimit = limited(fewWatches, ['true']).status === 0
test.skipIf(lacks('user namespaces with a limit of inotify (unshare -r)', hasLimit))(
  'what the system does not let it watch is said once, with what to do',
  () => {
    const folder = tempDir()
    for (const name of ['a', 'b', 'c']) mkdirSync(join(folder, name))
    const program = `import { watchSources } from ${JSON.stringify(new URL('./source-watch.ts', import.meta.url).href)}
      const end = await watchSources(${JSON.stringify(folder)}, () => undefined)
      end()`

    const { status, stderr } = limited(fewWatches, [process.execPath, '--input-type=module', '-e', program])

    expect(status, stderr).toBe(0)
    expect(stderr).toMatch(/^✕ --watch does not see every change: ENOSPC: .+\n {2}Let .+max_user_watches=524288\n$/)
  },
)

test('a file in a folder that came later is told', async () => {
  const { folder, changes, write } = await watched()
  mkdirSync(join(folder, 'later'))
  // The system tells of the folder first; only then its files are watched.
  await expect
    .poll(
      () => {
        write('later/a.ts')
        return changes.length
      },
      { timeout: 10_000, interval: 300 },
    )
    .toBeGreaterThan(0)

  expect(new Set(changes)).toEqual(new Set(['later/a.ts']))
})

test('a file that is removed is a change too', async () => {
  const { folder, write, told } = await watched()
  write('jobs/a.ts')
  await told('jobs/a.ts')

  rmSync(join(folder, 'jobs/a.ts'))

  await told('jobs/a.ts', 'jobs/a.ts')
})

test('nothing is told after its end, not even what had changed before', async () => {
  const { write, end, changes } = await watched()
  const other = await watched()
  write('jobs/a.ts')
  end()

  other.write('jobs/b.ts')
  await other.told('jobs/b.ts')

  expect(changes).toEqual([])
})
