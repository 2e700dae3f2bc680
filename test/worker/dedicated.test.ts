/** A worker of a process of its own keeps that process small (src/worker/memory.ts). */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { WorkerOptions } from '../../src/index.ts'

const ROOT = join(import.meta.dirname, '../..')
const JOBS = 20_000
/** Runs jobs that leave survivors; tells the young generation's size in bytes after them, and at most ten seconds later. */
const PROGRAM = `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { defineJob, Millrace } from './src/index.ts'
  const turn = () => new Promise(setImmediate)
  const size = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').physical_space_size
  const [options, rests] = JSON.parse(process.argv[1])
  const mill = await Millrace.open({ store: 'memory:' })
  const kept = Array.from({ length: 5_000 })
  let done = 0
  const job = defineJob({ name: 'job', run: async (input) => { kept[done++ % kept.length] = structuredClone(input) } })
  const text = 'x'.repeat(2_000)
  const worker = mill.work([job], options)
  const input = (_, i) => ({ i, text })
  for (let i = 0; i < ${JOBS}; i += 1_000) await mill.enqueueMany(job, Array.from({ length: 1_000 }, input))
  while (done < ${JOBS}) await turn()
  const most = size()
  const deadline = performance.now() + 10_000
  while (rests && size() >= most && performance.now() < deadline) await turn()
  console.log(JSON.stringify({ most, rested: size() }))
  await worker.stop()
  await mill.close()
`

test('its young generation does not grow, and shrinks at rest; that of an app may grow', async () => {
  const [own, shared] = await Promise.all([sizes({ dedicated: true }, true), sizes({}, false)])

  expect(shared.most).toBeGreaterThan(8 * 2 ** 20)
  expect(own.most).toBeLessThan(shared.most / 2)
  expect(own.rested).toBeLessThan(own.most)
}, 60_000)

async function sizes(
  options: WorkerOptions,
  rests: boolean,
): Promise<{ readonly most: number; readonly rested: number }> {
  const args = ['--input-type=module-typescript', '-e', PROGRAM, JSON.stringify([options, rests])]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
  return JSON.parse(stdout)
}
