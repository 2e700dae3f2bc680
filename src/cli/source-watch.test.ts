import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
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

  for (const path of ['jobs/a.ts', 'jobs/b.mjs', 'jobs/a.ts', 'settings.json', '.env']) write(path)

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
