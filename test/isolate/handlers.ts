/** Handlers that do in an isolate what no handler should, and some that behave. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { createServer } from 'node:net'
import { threadId } from 'node:worker_threads'
import { z } from 'zod'
import { Discard, defineJob, type JobContext, RetryAfter } from '../../src/index.ts'

export interface Input {
  readonly how: string
  readonly text?: string
}

/** One for each time that this module is loaded. */
const here = randomUUID()

const never = () => new Promise<never>(() => {})
const boom = () => {
  throw new Error('trapped')
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

const place = () => `${process.pid} ${threadId} ${here}`
const hoard: unknown[] = []
/** Objects that fill so much of the heap. */
const heapOf = (mib: number): readonly unknown[] => Array.from({ length: mib * 26_000 }, (_, i) => ({ i }))
const agent = new Agent({ keepAlive: true })

/** What a job has left running in this isolate, and what lets it go on. */
let left = { goOn: () => {}, said: Promise.resolve<unknown>('nothing was left') }
const leave = (branch: () => Promise<unknown>) => {
  const gate = Promise.withResolvers<void>()
  left = { goOn: gate.resolve, said: gate.promise.then(branch) }
}
const codeOf = (promise: Promise<unknown>) => promise.catch((error: { code?: unknown }) => error.code)

const ways: Readonly<Record<string, (input: Input, job: JobContext) => unknown>> = {
  fine: () => 'fine',
  echo: (input) => input,
  pid: () => process.pid,
  place,
  facts: ({ text }, { id, name, queue, priority, attempt, tags, createdAt, fence }) => {
    return { id, name, queue, priority, attempt, tags, createdAt: createdAt.toISOString(), fence, text }
  },
  tells: async (_, job) => {
    job.progress(0.25, 'a quarter')
    job.log('one')
    job.log('two', 'warn')
    return 'told'
  },
  checkpoints: async (_, job) => {
    const before = await job.restore()
    await job.checkpoint({ at: job.attempt, before })
    if (job.attempt < 3) throw new Error('interrupted')
    return await job.restore()
  },
  logs: async (_, job) => {
    for (let i = 0; i < 5_000; i++) job.log(`line ${i}`)
  },
  discards: () => {
    throw new Discard('no use', { cause: new Error('because') })
  },
  retriesLater: () => {
    throw new RetryAfter('1h', 'the other side asks')
  },
  snoozes: (_, job) => job.snooze('1h'),
  completes: (_, job) => job.completeIn({}),
  completesLast: async (_, job) => {
    job.log(`pid ${process.pid}`)
    await job.completeIn({}).catch((cause: unknown) => {
      throw new Error('rolled back', { cause })
    })
  },
  throws: () => {
    throw Object.assign(new TypeError('wrong', { cause: new RangeError('deeper') }), { code: 'EWRONG' })
  },
  returnsMap: () => new Map(),
  heeds: async (_, job) => {
    job.log('waiting')
    await once(job.signal, 'abort')
    throw job.signal.reason
  },
  leavesHandle: async (_, job) => {
    await once(job.signal, 'abort')
    createServer().listen(0)
    throw job.signal.reason
  },
  leavesTimer: () => void setInterval(() => {}, 1_000),
  leavesBranch: (_, job) =>
    leave(async () => [await codeOf(job.checkpoint("another job's")), await codeOf(job.restore())]),
  leavesLoop: (_, job) => leave(() => job.checkpoint("another job's")),
  meetsBranch: async (_, job) => {
    await job.checkpoint('its own')
    left.goOn()
    const said = await codeOf(left.said)
    return [said, await job.restore()]
  },
  meetsLoop: async (_, job) => {
    await job.checkpoint('its own')
    left.goOn()
    for (let i = 0; i < 10; i++) await turn()
    return await job.restore()
  },
  forgetsWrite: () => void writeFile('/dev/null/nowhere', ''),
  /** Of a pipe that nobody writes to: the request does not end. */
  leavesOpening: ({ text = '' }) => void open(text, 'r').catch(() => {}),
  keepsConnections: async ({ text = '' }) => {
    await (await fetch(text)).text()
    get(text, { agent }, (response) => response.resume()).end()
    await new Promise((resolve) => agent.once('free', resolve))
    return Object.keys(agent.freeSockets).length
  },
  env: () => Object.keys(process.env),

  exit0: () => process.exit(0),
  exit7: async () => {
    await turn()
    process.exit(7)
  },
  aborts: () => process.abort(),
  segfault: () => {
    process.kill(process.pid, 'SIGSEGV')
    return never()
  },
  sigkill: () => {
    process.kill(process.pid, 'SIGKILL')
    return never()
  },
  overflows: () => {
    const deep = (n: number): number => deep(n + 1) + 1
    return deep(0)
  },
  throwsInTimer: () => {
    setTimeout(boom, 1)
    return never()
  },
  rejects: () => {
    Promise.reject(new Error('left alone'))
    return 'returned before that'
  },
  rejectsUndefined: () => Promise.reject(),
  trappedError: () => {
    throw Object.defineProperties(new Error('x'), {
      name: { get: boom },
      message: { get: boom },
      stack: { get: boom },
      code: { get: boom },
      cause: { get: boom },
    })
  },
  hugeError: () => {
    throw new Error('x'.repeat(10_000_000))
  },
  oddError: () => {
    const error: Error & { self?: unknown } = new Error('in circles')
    error.self = error
    error.cause = error
    throw Object.freeze(error)
  },

  neverEnds: never,
  blocks: (_, job) => {
    job.log('about to block')
    for (;;);
  },
  /** Waits for `text`-block, blocks with `text`-blocks as the sign of it, and goes on with `text`-go-on. */
  blocksOnCue: async ({ text = '' }, job) => {
    job.log('waiting')
    while (!existsSync(`${text}-block`)) await turn()
    writeFileSync(`${text}-blocks`, '')
    while (!existsSync(`${text}-go-on`));
    return 'went on'
  },
  ignoresAbort: async (_, job) => {
    await once(job.signal, 'abort')
    return never()
  },
  leaks: async () => {
    const held: unknown[] = []
    for (;;) {
      held.push(Array.from({ length: 100_000 }, (_, i) => ({ i })))
      await turn()
    }
  },
  /** So many MiB, which stay. */
  hoards: ({ text }) => {
    hoard.push(heapOf(Number(text)))
    return place()
  },
  /** So many MiB beside the heap, which stay. Filling them takes as long as it does in life: an isolate looks each 5 ms at most. */
  hoardsBuffers: ({ text }) => {
    hoard.push(Buffer.alloc(Number(text) * 2 ** 20, 1))
    return place()
  },
  wastesBuffers: ({ text }) => {
    Buffer.alloc(Number(text) * 2 ** 20)
    return place()
  },
  /** So many MiB as garbage. */
  wastes: ({ text }) => {
    heapOf(Number(text))
    return place()
  },
  /** So many MiB for a while. */
  needs: async ({ text }) => {
    const held = heapOf(Number(text))
    await turn()
    return held.length > 0 && place()
  },
  forks: (_, job) => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
    job.log(`pid ${child.pid}`)
    return never()
  },
  forksAndReturns: () => spawn('sleep', ['1000'], { stdio: 'ignore' }).pid,
}

function run(input: Input, job: JobContext): unknown {
  const way = ways[input.how]
  if (way === undefined) throw new Discard(`no way ${input.how}`)
  return way(input, job)
}

const retry = { attempts: 1, delay: 0, jitter: 'none' } as const

export const inThread = defineJob({ name: 'in-thread', isolate: 'thread', retry, run })
export const inProcess = defineJob({ name: 'in-process', isolate: 'process', retry, run })
export const tightThread = defineJob({ name: 'tight-thread', isolate: { in: 'thread', memory: '48mib' }, retry, run })
export const tightProcess = defineJob({
  name: 'tight-process',
  isolate: { in: 'process', memory: '48mib' },
  retry,
  run,
})
export const beside = defineJob({ name: 'beside', retry, run })

/** Version 1 had its number in words. */
const shapes = {
  version: 2,
  upgrade: { 1: ({ n }: { n: string }) => ({ n: n === 'seven' ? 5 : 0 }) },
  input: z.object({ n: z.coerce.number() }),
  output: z.object({ twice: z.number().nonnegative() }),
  retry,
  run: ({ n }: { n: number }) => ({ twice: n * 2 }),
} as const

export const checkedThread = defineJob({ ...shapes, name: 'checked-thread', isolate: 'thread' })
export const checkedProcess = defineJob({ ...shapes, name: 'checked-process', isolate: 'process' })
export const checked = { thread: checkedThread, process: checkedProcess }
