import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../../test/support/temp-store.ts'
import { writePidFile } from './pid-file.ts'

/** The id of a process that has ended. */
const gone = () => spawnSync(process.execPath, ['-e', '']).pid
const fileWith = (text?: string) => {
  const path = join(tempDir(), 'millrace.pid')
  if (text !== undefined) writeFileSync(path, text)
  return path
}

test.each<readonly [what: string, text: () => string | undefined]>([
  ['is not there', () => undefined],
  ['is empty', () => ''],
  ['holds no id', () => 'yes\n'],
  ['holds an id that no process can have', () => '99999999999999\n'],
  ['holds a negative id, which would be a group', () => '-1\n'],
  ['belongs to a process that has gone', () => `${gone()}\n`],
  ['holds this process id, as after each start of a container', () => `${process.pid}\n`],
])('a pid file that %s is written, and removed at the end', (_, text) => {
  const path = fileWith(text())

  const remove = writePidFile(path)

  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  remove()
  expect(existsSync(path)).toBe(false)
})

test('a pid file of a process that lives is left to it', () => {
  const path = fileWith(`${process.ppid}\n`)

  expect(() => writePidFile(path)).toThrow(`${path} belongs to process ${process.ppid}, which is running`)
  expect(readFileSync(path, 'utf8')).toBe(`${process.ppid}\n`)
})

test('a pid file that another has taken over meanwhile is not removed', () => {
  const path = fileWith()
  const remove = writePidFile(path)
  writeFileSync(path, `${process.ppid}\n`)

  remove()

  expect(existsSync(path)).toBe(true)
})

test('a pid file that cannot be written is an error that says so', () => {
  const path = fileWith()
  mkdirSync(path)

  expect(() => writePidFile(path)).toThrow('the pid file cannot be written: EISDIR')
})
