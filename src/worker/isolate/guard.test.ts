import { ChildProcess } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Guard } from './guard.ts'

/** Beyond any pid that Linux gives: a shell that is started after all kills nobody. */
const GROUPS = [5_000_001, 5_000_002] as const
const BOTH = GROUPS.map((pid) => `+ ${pid}\n`).join('')

/** As `spawn` returns it when no descriptor is left: without a pid, without its pipes, and with an error to come. */
function noProcess(): ChildProcess {
  const child = new ChildProcess()
  process.nextTick(() => child.emit('error', Object.assign(new Error('spawn /bin/sh EMFILE'), { code: 'EMFILE' })))
  return child
}

/** One that lives until it is told otherwise, and what it has read. */
function aProcess() {
  const child = new ChildProcess()
  const stdin = new PassThrough()
  Object.assign(child, { pid: 5_000_000, stdin })
  return { child, said: () => String(stdin.read() ?? '') }
}

test.each([
  ['is there without its pipes', noProcess],
  [
    'throws',
    () => {
      throw Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' })
    },
  ],
])('a shell that cannot be started is tried again with the next group: it %s', async (_, fails) => {
  const { child, said } = aProcess()
  const starts = [fails, () => child]
  const guard = new Guard(0, () => (starts.shift() ?? noProcess)())

  guard.add(GROUPS[0])
  await new Promise(setImmediate)
  guard.add(GROUPS[1])

  expect(said()).toBe(BOTH)
})

test('a shell that has ended, and cannot be started again then, is with the next group', async () => {
  const { child, said } = aProcess()
  const starts = [() => child, noProcess, () => child]
  const guard = new Guard(0, () => (starts.shift() ?? noProcess)())
  const now = vi.spyOn(performance, 'now').mockReturnValue(0)
  onTestFinished(() => now.mockRestore())
  guard.add(GROUPS[0])
  said()

  now.mockReturnValue(60_000)
  child.emit('exit', null, 'SIGKILL')
  await new Promise(setImmediate)
  guard.add(GROUPS[1])

  expect(said()).toBe(BOTH)
})

test('one that had no shell closes', async () => {
  const guard = new Guard(0, noProcess)
  guard.add(GROUPS[0])

  await expect(guard.close()).resolves.toBeUndefined()
})

// Not tried with 1: should the guard take it after all, that would be the end of every process here.
test('a group that is none is not taken', () => {
  const { child, said } = aProcess()
  const guard = new Guard(0, () => child)

  for (const pid of [0, -5_000_001, Number.NaN]) guard.add(pid)
  guard.add(GROUPS[0])

  expect(said()).toBe(`+ ${GROUPS[0]}\n`)
})
