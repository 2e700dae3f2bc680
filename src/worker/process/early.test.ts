import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startEarly, takeEarly } from './early.ts'

function program(code: string) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-early-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'worker.mjs')
  writeFileSync(file, code)
  return { file }
}

test('a process that was started early is given away once, and hears what it is told', async () => {
  startEarly(program("process.once('message', (text) => { process.send(text); process.disconnect() })"))
  const taken = takeEarly()
  expect(takeEarly()).toBeUndefined()
  if (taken === undefined) throw new Error('there is none')
  onTestFinished(() => taken.list.close())

  taken.child.send('work')

  expect((await once(taken.child, 'message'))[0]).toBe('work')
  expect(await once(taken.child, 'exit')).toEqual([0, null])
})

test('one that has ended before anybody wanted it is given to nobody', async () => {
  const early = startEarly(program('process.disconnect()'))
  if (early === undefined) throw new Error('there is none')
  await once(early.child, 'exit')

  expect(takeEarly()).toBeUndefined()
})

test('where the system gives no process there is none', () => {
  expect(startEarly({ file: 'worker.mjs', env: { BAD: 'a\0b' } })).toBeUndefined()
  expect(takeEarly()).toBeUndefined()
})
