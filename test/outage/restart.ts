/** F-12: the server is stopped and started again while workers and a producer are busy. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Millrace } from '../../src/index.ts'
import { LedgerReader, now } from '../faults/lab/ledgers.ts'
import { allEnded, enqueueAll, faultsOf, startWorker } from '../kill/load.ts'
import { type Child, startChild } from '../support/child.ts'
import { openMill } from '../support/mill.ts'
import type { PrivateServer, StopKind } from '../support/private-server.ts'
import { generator, seedOf } from '../support/random.ts'
import { freshStoreUrl, type TestServer } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import { tempDir } from '../support/temp-store.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const STOPS: readonly StopKind[] = ['fast', 'immediate', 'kill']
const RUNS = LONG ? 10 : 1
/** Waves of jobs in a run; in each the server is stopped once, in each way in turn. */
const WAVES = LONG ? 10 : 3
const JOBS = LONG ? 5_000 : 450
const WORKERS = LONG ? 4 : 2
/** Longer than the server is away, as a rule: a job that loses its lease too often is quarantined, by design. */
const LEASE = '3s'
/** From the moment that the server takes connections until every worker has begun a job. */
const RECOVERY_MS = 5_000
const WAIT = { timeout: 120_000, interval: 2 }
/** Of a worker: see kill-worker.ts. */
const SLOTS = 10
/** How often more jobs come until every worker has begun one, and how long each takes. */
const LOOK_MS = 100
const OFFERED_MS = 50

interface Seen {
  /** Milliseconds until every worker had begun a job, after each stop. */
  readonly recoveries: readonly number[]
  readonly faults: readonly string[]
}

/** Declares the test. */
export function restartCases(server: TestServer, machine: PrivateServer): void {
  test(
    `${RUNS} × ${JOBS} jobs, the server stopped fast, at once and by SIGKILL`,
    async () => {
      const seed = seedOf(3)
      const recoveries: number[] = []
      for (let run = 0; run < RUNS; run++) {
        const seen = await runOnce(server, machine, seed + run)
        expect(seen.faults).toEqual([])
        recoveries.push(...seen.recoveries)
      }
      const longest = Math.round(Math.max(...recoveries))
      if (LONG) console.log(JSON.stringify({ kind: server.kind, jobs: RUNS * JOBS, stops: recoveries.length, longest }))
      tally({ jobs: RUNS * JOBS, stops: recoveries.length })
      expect(recoveries).toHaveLength(RUNS * WAVES)
      expect(longest).toBeLessThanOrEqual(RECOVERY_MS)
    },
    LONG ? 3_600_000 : 120_000,
  )
}

async function runOnce(server: TestServer, machine: PrivateServer, seed: number): Promise<Seen> {
  const random = generator(seed)
  const url = await freshStoreUrl(server)
  const folder = tempDir()
  const logs = join(folder, 'logs')
  mkdirSync(logs)
  const acknowledged = join(folder, 'acknowledged')
  const mill = await openMill({ store: url })
  const workers = Array.from({ length: WORKERS }, () => startWorker(url, logs, LEASE))
  const producer = startChild(join(import.meta.dirname, 'wave-producer.ts'), [url, acknowledged])
  await Promise.all([...workers, producer].map((child) => child.line('ready')))

  const recoveries: number[] = []
  const more: string[] = []
  const size = Math.floor(JOBS / WAVES)
  for (let wave = 0; wave < WAVES; wave++) {
    // The half of a wave comes while the server is up, the rest is enqueued while it is away.
    const half = Math.floor(size / 2)
    producer.tell(`${half}`)
    producer.tell(`${size - half}`)
    const wanted = wave * size + Math.floor(random() * half)
    await expect.poll(() => idsIn(acknowledged).length >= wanted, WAIT).toBe(true)
    await machine.stop(STOPS[wave % STOPS.length] ?? 'kill')
    await machine.start()
    recoveries.push(await allAtWork(workers, mill, logs, more))
    await producer.line(`acknowledged ${(wave + 1) * size}`)
  }
  await allEnded(mill, WAIT.timeout)
  await Promise.all([...workers, producer].map((child) => child.kill()))
  expect(idsIn(acknowledged)).toHaveLength(size * WAVES)
  const ids = [...idsIn(acknowledged), ...more]
  const faults = await faultsOf(mill, ids, logs)
  await mill.close()
  return { recoveries, faults }
}

/**
 * How long it took, from now on, until each of the workers had begun a job that was enqueued since: one that it had fetched before
 * would say nothing of its way to the store. More come until then than the others can run at a time; their ids go to `more`.
 */
async function allAtWork(workers: readonly Child[], mill: Millrace, logs: string, more: string[]): Promise<number> {
  const begun = now()
  const ledger = new LedgerReader(logs, 'effects')
  const from = ledger.lines().length
  const offered = new Set<string>()
  const firstStarts = () => {
    const starts = ledger.lines().slice(from)
    return workers.map(({ pid }) => starts.find((one) => one.pid === pid && offered.has(one.id))?.at)
  }
  const idle = async () => {
    const ids = await enqueueAll(mill, Array(workers.length * SLOTS).fill(OFFERED_MS))
    for (const id of ids) offered.add(id)
    more.push(...ids)
    return firstStarts().flatMap((at, i) => (at === undefined ? [`worker ${i + 1} has begun nothing`] : []))
  }
  await expect.poll(idle, { timeout: 4 * RECOVERY_MS, interval: LOOK_MS }).toEqual([])
  return Math.max(...firstStarts().map((at) => (at ?? Number.POSITIVE_INFINITY) - begun))
}

function idsIn(log: string): readonly string[] {
  return existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : []
}
