/** An app's folder with jobs that behave, block, leak and crash, for tests of worker processes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import { appFolder } from './app-folder.ts'

const HANDLERS = `import { defineJob } from 'millrace'
import { spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
const note = (sign, n) => appendFileSync('ran', sign + ' ' + n + ' ' + process.pid + ' ' + (performance.timeOrigin + performance.now()) + '\\n')
const rest = (ms, signal) => new Promise((done, fail) => { setTimeout(done, ms); signal.addEventListener('abort', () => fail(signal.reason)) })
const stand = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
const kept = []
const job = (name, run) => defineJob({ name, run: async (input, job) => { note('+', input.n); const out = await run(input, job); note('-', input.n); return out } })
export const quick = job('quick', () => undefined)
export const slow = job('slow', ({ ms }, { signal }) => rest(ms, signal))
export const block = job('block', ({ ms }) => { stand(ms) })
export const burn = job('burn', ({ ms }) => { for (const end = performance.now() + ms; performance.now() < end; ); })
export const deaf = job('deaf', () => new Promise(() => { setInterval(() => undefined, 1000) }))
export const exit = job('exit', () => process.exit(7))
export const segv = job('segv', () => process.kill(process.pid, 'SIGSEGV'))
export const leak = job('leak', async ({ mb, ms }, { signal }) => { kept.push(Buffer.alloc(mb * 2 ** 20, 1)); await rest(ms ?? 0, signal) })
export const swell = job('swell', async ({ mb, ms }, { signal }) => { await rest(ms, signal); kept.push(Buffer.alloc(mb * 2 ** 20, 1)); await rest(600_000, signal) })
export const garbage = job('garbage', async ({ mb, ms }, { signal }) => { Buffer.alloc(mb * 2 ** 20, 1); await rest(ms ?? 0, signal) })
export const orphan = job('orphan', ({ n }) => { spawn('sh', ['-c', '(sleep 0.1; echo gone ' + n + ' 0 0 >> ran) &'], { stdio: 'ignore' }) })
export const write = job('write', () => { process.stdout.write('a line of my own\\n'); process.stderr.write('another\\n') })
export const apart = defineJob({ name: 'apart', isolate: 'process', run: () => new Promise((done) => process.stdout.write('a line of an isolate\\n', () => done())) })
export const threaded = defineJob({ name: 'threaded', isolate: 'thread', run: async ({ mb, ms, keeps }, { signal }) => { const held = Buffer.alloc(mb * 2 ** 20, 1); if (keeps) kept.push(held); await rest(ms ?? 0, signal) } })
export const stray = job('stray', () => void Promise.reject(new Error('nobody caught this')))
`

/** What the jobs of the app are given: `n` is their name in `ran()`. */
export interface AppInput {
  readonly n: number | string
  readonly ms?: number
  readonly mb?: number
  readonly keeps?: boolean
}

const job = (name: string) => defineJob<AppInput>({ name })
/** The jobs of the app, without their handlers. */
export const JOBS = {
  quick: job('quick'),
  slow: job('slow'),
  block: job('block'),
  burn: job('burn'),
  deaf: job('deaf'),
  exit: job('exit'),
  segv: job('segv'),
  leak: job('leak'),
  swell: job('swell'),
  garbage: job('garbage'),
  stray: job('stray'),
  write: job('write'),
  apart: job('apart'),
  threaded: job('threaded'),
} as const

/** A handler's begin (`+`) or end (`-`). */
export interface Note {
  readonly sign: string
  readonly n: string
  readonly pid: number
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface NodeApp {
  readonly folder: string
  readonly storeUrl: string
  /** Open on the app's store in this process. */
  readonly mill: Millrace
  /** What its handlers have noted so far, in order. */
  ran(): readonly Note[]
  /** How often the job `n` has begun. */
  begins(n: number | string): number
}

/** Makes the app; `config` is what its configuration says beside the handlers. On SQLite in its folder unless `url` is given. */
export async function nodeApp(config = '', url?: string): Promise<NodeApp> {
  const folder = appFolder()
  const storeUrl = url ?? `sqlite:${join(folder, 'millrace.db')}?durability=normal`
  mkdirSync(join(folder, 'jobs'))
  writeFileSync(join(folder, 'jobs/all.handler.mjs'), HANDLERS)
  writeFileSync(join(folder, 'millrace.config.mjs'), `export default { handlers: './jobs/*.mjs', ${config} }`)
  writeFileSync(join(folder, 'ran'), '')
  const mill = await Millrace.open({ store: storeUrl })
  onTestFinished(() => mill.close())
  const ran = () =>
    readFileSync(join(folder, 'ran'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [sign = '', n = '', pid, at] = line.split(' ')
        return { sign, n, pid: Number(pid), at: Number(at) }
      })
  return {
    folder,
    storeUrl,
    mill,
    ran,
    begins: (n) => ran().filter((note) => note.sign === '+' && note.n === String(n)).length,
  }
}
