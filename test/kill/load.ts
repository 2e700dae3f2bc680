/** Jobs for the processes of kill-worker.ts: enqueued whatever happens to the way, waited for, and accounted for. */
import { join } from 'node:path'
import { expect } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob, type EnqueueOptions, type Millrace, StoreError } from '../../src/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { LIVE } from '../support/live.ts'
import { faultOf, readRuns } from './ledger.ts'

const noted = defineJob({ name: 'noted', retry: false, run: (_: number) => undefined })

/** Starts a worker on a store that logs to the folder. */
export function startWorker(url: string, folder: string, lease = '1s'): Child {
  return startChild(join(import.meta.dirname, 'kill-worker.ts'), [url, folder, lease])
}

/** Enqueues a job for each input, under the same id until it is acknowledged. Throws what is not transient. Returns the ids. */
export async function enqueueAll(
  mill: Millrace,
  inputs: readonly number[],
  options: EnqueueOptions = {},
): Promise<readonly string[]> {
  return Promise.all(
    inputs.map(async (input) => {
      const id = newId()
      for (;;) {
        try {
          await mill.enqueue(noted, input, { ...options, id })
          return id
        } catch (error) {
          if (!(error instanceof StoreError && error.kind === 'transient')) throw error
          // A refused connection fails at once: the loop has to turn in between.
          await new Promise(setImmediate)
        }
      }
    }),
  )
}

/** Resolves when no job waits or runs any more. */
export async function allEnded(mill: Millrace, timeout: number): Promise<void> {
  const left = async () => (await mill.count({ state: LIVE })).count
  await expect.poll(() => left().catch(() => -1), { timeout, interval: 50 }).toBe(0)
}

/** What is wrong with these jobs, by what the workers logged in the folder; and that there are no others. */
export async function faultsOf(mill: Millrace, ids: readonly string[], folder: string): Promise<readonly string[]> {
  const runs = readRuns(folder)
  const faults: string[] = []
  for (const id of ids) {
    const fault = faultOf(await mill.get(id), id, runs)
    if (fault !== null) faults.push(fault)
  }
  const { count } = await mill.count({}, ids.length + 1)
  return count === ids.length ? faults : [...faults, `${count} jobs are there, ${ids.length} were enqueued`]
}
