/**
 * What handlers do to the process they run in (RELIABILITY F-08). In an isolate each of it ends that attempt, and nothing else: the
 * same worker's other jobs go on, beside it and in isolates.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import * as handlers from './handlers.ts'
import { ended, type IsolatedJob, type Scene, sceneOn } from './scene.ts'

const { inThread, inProcess, tightThread, tightProcess } = handlers

const QUARANTINED = { state: 'failed', reason: 'quarantined', attempts: 0, crashes: 3 }
const FAILED = { state: 'failed', reason: 'exhausted', attempts: 1, crashes: 0 }
const exited = (code: number) => ({ code: 'ISOLATE_EXITED', message: expect.stringContaining(`exit code ${code}`) })
const killed = (signal: string) => ({ code: 'ISOLATE_KILLED', message: expect.stringContaining(signal) })
const uncaught = (text: string) => ({ code: 'ISOLATE_UNCAUGHT', message: expect.stringContaining(text) })
const memory = { code: 'ISOLATE_OUT_OF_MEMORY', message: expect.stringContaining('48 MiB') }

// One worker for all of them: each finds it as the one before has left it.
let shared: Scene
beforeAll(async () => {
  shared = sceneOn(await Millrace.open({ store: 'memory:' }))
})
afterAll(() => shared.mill.close())

test.each<[string, IsolatedJob, string, object, object]>([
  ['process.exit(0) in a thread', inThread, 'exit0', QUARANTINED, exited(0)],
  ['process.exit(0) in a process', inProcess, 'exit0', QUARANTINED, exited(0)],
  ['process.exit(7) in a thread', inThread, 'exit7', QUARANTINED, exited(7)],
  ['process.exit(7) in a process', inProcess, 'exit7', QUARANTINED, exited(7)],
  [
    'process.abort() in a thread, which has none',
    inThread,
    'aborts',
    FAILED,
    { code: 'ERR_WORKER_UNSUPPORTED_OPERATION' },
  ],
  ['process.abort() in a process', inProcess, 'aborts', QUARANTINED, killed('SIGABRT')],
  ['a fault of native code in a process', inProcess, 'segfault', QUARANTINED, killed('SIGSEGV')],
  ['SIGKILL to a process', inProcess, 'sigkill', QUARANTINED, killed('SIGKILL')],
  ['a stack overflow in a thread', inThread, 'overflows', FAILED, { name: 'RangeError' }],
  ['a stack overflow in a process', inProcess, 'overflows', FAILED, { name: 'RangeError' }],
  ['a throw in a timer of a thread', inThread, 'throwsInTimer', QUARANTINED, uncaught('exception that nothing caught')],
  ['a throw in a timer of a process', inProcess, 'throwsInTimer', QUARANTINED, uncaught('Error: trapped')],
  ['an unhandled rejection in a thread', inThread, 'rejects', QUARANTINED, uncaught('rejection that nothing handled')],
  ['an unhandled rejection in a process', inProcess, 'rejects', QUARANTINED, uncaught('Error: left alone')],
  ['a write that nobody awaits, and fails, in a thread', inThread, 'forgetsWrite', QUARANTINED, uncaught('ENOTDIR')],
  ['a write that nobody awaits, and fails, in a process', inProcess, 'forgetsWrite', QUARANTINED, uncaught('ENOTDIR')],
  ['a rejection with undefined in a thread', inThread, 'rejectsUndefined', FAILED, { name: 'undefined' }],
  ['a rejection with undefined in a process', inProcess, 'rejectsUndefined', FAILED, { name: 'undefined' }],
  ['an error whose getters throw in a thread', inThread, 'trappedError', FAILED, { name: 'object' }],
  ['an error whose getters throw in a process', inProcess, 'trappedError', FAILED, { name: 'object' }],
  ['an error of 10 MB in a thread', inThread, 'hugeError', FAILED, { message: expect.stringMatching(/^x+… \[cut\]$/) }],
  [
    'an error of 10 MB in a process',
    inProcess,
    'hugeError',
    FAILED,
    { message: expect.stringMatching(/^x+… \[cut\]$/) },
  ],
  ['a frozen error in circles in a thread', inThread, 'oddError', FAILED, { message: 'in circles' }],
  ['a frozen error in circles in a process', inProcess, 'oddError', FAILED, { message: 'in circles' }],
  ['a leak up to the limit of a thread', tightThread, 'leaks', QUARANTINED, memory],
  ['a leak up to the limit of a process', tightProcess, 'leaks', QUARANTINED, memory],
])('%s ends the attempt truthfully, and its neighbours go on', async (_, job, how, state, error) => {
  const { mill, send, result } = shared
  const neighbours = [
    await mill.enqueue(handlers.beside, { how: 'fine' }),
    await send(inThread, 'fine'),
    await send(inProcess, 'fine'),
  ]

  const { id } = await send(job, how)
  const info = await ended(mill, id)

  expect(info).toMatchObject({ ...state, losses: 0, error })
  for (const neighbour of neighbours) expect(await neighbour.result({ timeout: '30s' })).toBe('fine')
  expect(await result(inThread, 'fine')).toBe('fine')
  expect(await result(inProcess, 'fine')).toBe('fine')
})
