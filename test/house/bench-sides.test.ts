/** What the sides of the benchmarks measure with: CPU of whole families of processes, and handlers that run elsewhere. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { figuresIn } from '../../bench/measure.ts'
import type { Figures } from '../../bench/record.ts'
import { tempDir } from '../support/temp-store.ts'

const SIDES = resolve(import.meta.dirname, '../../bench/sides')
const BURN = `
  for (let sum = 0, spent = 0; spent < 300_000; spent = process.cpuUsage().user) for (let i = 0; i < 1e7; i++) sum += i
`

describe.runIf(process.platform === 'linux')('the CPU of a process', () => {
  test.each(['ownCpu()', 'cpuOf(process.pid)'])('by %s has that of those beneath it in it, ended ones too', (begin) => {
    const figures = evaluate(`
      import { spawn, spawnSync } from 'node:child_process'
      import { once } from 'node:events'
      import { cpuOf, ownCpu } from '${SIDES}/proc.js'
      const since = ${begin}
      spawnSync(process.execPath, ['-e', ${JSON.stringify(BURN)}])
      const ended = since()
      const living = spawn(process.execPath, ['-e', ${JSON.stringify(`${BURN} process.send('burnt')`)}], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
      await once(living, 'message')
      console.log(JSON.stringify({ ended, both: since() }))
      living.kill('SIGKILL')
    `)

    expect(figures.ended).toBeGreaterThan(0.25)
    expect(Number(figures.both) - Number(figures.ended)).toBeGreaterThan(0.25)
  })

  test('that is not there is null', () => {
    expect(
      evaluate(`
      import { cpuOf, pssOf } from '${SIDES}/proc.js'
      console.log(JSON.stringify({ cpu: cpuOf(undefined)(), none: cpuOf(2 ** 30)(), pss: pssOf(2 ** 30) }))
    `),
    ).toEqual({ cpu: null, none: null, pss: null })
  })
})

test('a handler that begins in a thread of another process is heard of, with when it began', () => {
  const file = join(tempDir(), 'began')
  const thread = `import('${SIDES}/elsewhere.js').then(({ tellBegun }) => tellBegun({ at: 5 }))`
  const child = `new (require('node:worker_threads').Worker)(${JSON.stringify(thread)}, { eval: true })`

  const heard = evaluate(`
    import { spawn } from 'node:child_process'
    import { hear } from '${SIDES}/elsewhere.js'
    const before = Number(process.hrtime.bigint()) / 1e6
    hear(${JSON.stringify(file)}, ({ at }, beganAt) => {
      console.log(JSON.stringify({ at, later: beganAt > before }))
      process.exit()
    })
    spawn(process.execPath, ['-e', ${JSON.stringify(child)}])
  `)

  expect(heard).toEqual({ at: 5, later: true })
})

describe.runIf(process.platform === 'linux')('two processes of one side', () => {
  test.each([
    ['mixed', { seconds: 0.3 }],
    ['load', { seconds: 0.1, perSecond: 1000 }],
  ])('tell in %s what a job costs the worker and the server', (scenario, more) => {
    const figures = pairOf({ scenario, ...more })

    expect(figures.cpuPer10k).toBeGreaterThan(0)
    expect(figures.serverPer10k).toBeGreaterThanOrEqual(0)
  })

  test('tell what an idle worker costs the server', () => {
    const figures = pairOf({ scenario: 'pickup', count: 1, idleMs: 100 })

    expect(figures).toMatchObject({ idleCpu: expect.any(Number), idleServerCpu: expect.any(Number) })
  })
})

test('the figures of a side are found before what a process of its own says at the end', () => {
  expect(figuresIn('{"perSecond":1}\n[Worker] error: Parent process disconnected, exiting...\n')).toEqual({
    perSecond: 1,
  })
  expect(figuresIn('nothing\n')).toBeUndefined()
})

/** Two processes of a side whose store is a file with a line for each job. */
function pairOf(told: Readonly<Record<string, unknown>>): Figures {
  const folder = tempDir()
  const program = `
    import { hear, tellBegun } from '${SIDES}/elsewhere.js'
    import { serve } from '${SIDES}/side.js'
    process.env.MILLRACE_BENCH_BEGAN = '${folder}/jobs'
    let costs = 0
    await serve({
      enqueue: async (input) => tellBegun(input),
      start: (handler) => hear('${folder}/jobs', (input, beganAt) => {
        // The first job costs so much that Linux, which counts in hundredths of a second, sees it.
        for (; costs < 1e8; costs++);
        handler(input, beganAt)
      }),
      settled: async () => {},
      close() {},
    })
  `
  writeFileSync(join(folder, 'side.js'), program)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  // The server is whoever runs this test.
  const options = JSON.stringify({ ...told, side: join(relative(SIDES, folder), 'side'), serverPid: process.pid })
  return lastLineOf(spawnSync(process.execPath, [join(SIDES, 'pair.js'), options], OPTIONS))
}

const OPTIONS = { encoding: 'utf8', timeout: 60_000 } as const

function evaluate(program: string): Figures {
  return lastLineOf(spawnSync(process.execPath, ['--input-type=module', '-e', program], OPTIONS))
}

function lastLineOf({ stdout, stderr, status }: { stdout: string; stderr: string; status: number | null }) {
  expect(status, stderr).toBe(0)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}
