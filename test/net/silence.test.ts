/** F-15 and F-17: a network that swallows everything while its sockets stay open, for all or for one worker alone. */
import { expect, it, vi } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob, StoreError } from '../../src/index.ts'
import type { Lease, Settlement, Store } from '../../src/store/contract/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, freshStoreUrl, migratedStore, SERVER_KINDS, withDeadline } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

const LEASE_MS = 1_000
/** Where it is judged by time when something happens: longer than the slack, so that after one lease is told from after two. */
const JUDGED_LEASE_MS = 3_000
const DEADLINE_MS = 600
/** What a busy machine may add to a timer: far less than a call without this deadline takes, or a handler that nobody aborts. */
const SLACK_MS = 2_000
const WORK = { lease: `${LEASE_MS}ms`, heartbeat: '200ms', poll: '20ms', grace: '100ms' } as const
const JUDGED_WORK = { ...WORK, lease: `${JUDGED_LEASE_MS}ms` } as const
const WAIT = { timeout: 20_000, interval: 5 }
const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
/** How long the network is silent, in leases. */
const SILENCES = LONG ? [1, 3, 30] : [1, 3]
const ATTEMPTS = LONG ? 500 : 20
const PARTITIONS = LONG ? 200 : 2
const TIMEOUT_MS = LONG ? 180_000 : 60_000

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    for (const leases of SILENCES) {
      it(
        `in a silence of ${leases} leases every call ends by its deadline, handlers are aborted within theirs, and work goes on after it`,
        async () => {
          const direct = await freshStoreUrl(server)
          await migratedStore(direct)
          const { proxy, url } = await startProxyTo(direct)
          const store = withDeadline(url, DEADLINE_MS)
          const [enduring, watched] = [await openMill({ store }), await openMill({ store })]
          let [aborts, runs] = [0, 0]
          const waits = defineJob({
            name: 'waits',
            run: async (_: undefined, { signal }) => {
              if (++runs > 1) return
              await new Promise((resolve) => signal.addEventListener('abort', resolve))
              aborts++
            },
          })
          const quick = defineJob({ name: 'quick', run: (input: number) => input })
          const job = await enduring.enqueue(waits, undefined)
          enduring.work([waits, quick], { ...JUDGED_WORK, restart: true })
          await vi.waitFor(() => expect(runs).toBe(1), WAIT)
          const watchdog = watched.work([quick], JUDGED_WORK)
          await vi.waitFor(() => expect(proxy.open).toBeGreaterThan(2), WAIT)

          proxy.setSilent(true)
          const begun = performance.now()
          const isOver = watchdog.done.then(
            () => null,
            (error: unknown) => ({ error, ms: performance.now() - begun }),
          )
          const aborted = vi.waitFor(() => expect(aborts).toBe(1), WAIT).then(() => performance.now() - begun)

          for (let calls = 0; calls === 0 || performance.now() < begun + leases * JUDGED_LEASE_MS; calls++) {
            const refused = Array.from({ length: 20 }, () => failureOf(() => enduring.enqueue(quick, 1)))
            tally({ 'refused calls': refused.length })
            for (const { error, ms } of await Promise.all(refused)) {
              expect(error).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
              // One waits in the batch behind the one that was in flight.
              expect(ms).toBeLessThan(2 * DEADLINE_MS + SLACK_MS)
            }
          }
          if (leases > 1) {
            // Three leases without an answer: a worker that does not go on by itself says so.
            expect((await isOver)?.error).toMatchObject({ code: 'STORE_UNREACHABLE' })
            expect((await isOver)?.ms).toBeLessThan(3 * JUDGED_LEASE_MS + SLACK_MS)
          }
          expect(await aborted).toBeLessThan(JUDGED_LEASE_MS + SLACK_MS)
          const silentSockets = proxy.open
          proxy.setSilent(false)

          // The first looks may still meet connections that lost bytes.
          expect(await vi.waitFor(() => job.result({ timeout: '20s' }), WAIT)).toBeUndefined()
          const after = await vi.waitFor(() => enduring.enqueue(quick, 7), WAIT)
          expect(await after.result({ timeout: '20s' })).toBe(7)
          expect(runs).toBe(2)
          tally({ jobs: 2, silences: 1 })
          const history = (await enduring.get(job.id))?.history.map(({ outcome }) => outcome) ?? []
          // A claim that a busy machine answers after the deadline is lost as well, before anybody has begun with it.
          expect([new Set(history.slice(0, -1)), history.at(-1)]).toEqual([new Set(['lost']), 'completed'])
          // Two pools of six and two that listen: what was given up is closed, not kept.
          expect(silentSockets).toBeLessThanOrEqual(14)
          if (leases === 1) {
            await watchdog.stop()
            expect(await isOver).toBeNull()
          }
        },
        TIMEOUT_MS,
      )
    }

    it(
      `of the writes of a worker that was cut off from ${ATTEMPTS} attempts none is accepted once another has taken over`,
      async () => {
        const direct = await freshStoreUrl(server)
        const other = await migratedStore(direct)
        const { proxy, url } = await startProxyTo(direct)
        const store = await migratedStore(withDeadline(url, DEADLINE_MS))
        const job = { name: 'n', version: 1, queue: 'q', priority: 5, payload: new Uint8Array(3) }
        await other.jobs.insert(Array.from({ length: ATTEMPTS }, () => ({ ...job, id: newId() })))
        const mine = await claimAll(store, 'cut off')
        expect(mine).toHaveLength(ATTEMPTS)

        proxy.setSilent(true)
        await expect(store.jobs.extend('cut off', mine, LEASE_MS)).rejects.toMatchObject({ kind: 'transient' })
        let reclaimed = 0
        const reclaim = async () => {
          reclaimed += (await other.jobs.reclaim(1_000)).length
          return reclaimed
        }
        await expect.poll(reclaim, WAIT).toBe(ATTEMPTS)
        const theirs = await claimAll(other, 'current')
        proxy.setSilent(false)

        expect(theirs).toHaveLength(ATTEMPTS)
        const reports = mine.map((lease) => ({ ...lease, progress: 0.5 }))
        const settle = mine.map((lease): Settlement => ({ ...lease, runMs: 1, to: 'completed', result: null }))
        const answers = [
          ...(await store.jobs.extend('cut off', mine, LEASE_MS)),
          ...(await store.jobs.report('cut off', reports)),
          ...(await oneByOne(mine, (lease) => store.jobs.start('cut off', lease))),
          ...(await store.jobs.exchange({ workerId: 'cut off', settle })).settled,
          ...(await store.jobs.exchange({ workerId: 'current', settle })).settled,
        ]
        tally({ jobs: ATTEMPTS, 'late words refused': answers.length })
        expect(answers).toHaveLength(ATTEMPTS * 5)
        expect(answers.filter((answer) => answer !== 'lost')).toEqual([])
        expect(await other.jobs.extend('current', theirs, LEASE_MS)).toEqual(theirs.map(() => 'held'))
      },
      TIMEOUT_MS,
    )

    it(
      `a worker that is cut off gives its job up, and one that is not takes it over and completes it: ${PARTITIONS} times, each in turn`,
      async () => {
        const direct = await freshStoreUrl(server)
        // A busy machine may take longer than the deadline of theirs, which is short.
        const patient = await openMill({ store: direct })
        const sides = [await side('a', direct), await side('b', direct)] as const
        for (let round = 0; round < PARTITIONS; round++) {
          const [far, near] = round % 2 === 0 ? sides : [sides[1], sides[0]]
          near.pause()
          far.resume()
          far.work.isHolding = true
          near.work.isHolding = false
          const job = await patient.enqueue(near.held, undefined)
          await vi.waitFor(() => expect(far.runs.has(job.id)).toBe(true), WAIT)

          far.proxy.setSilent(true)
          near.resume()

          expect(await vi.waitFor(() => job.result({ timeout: '20s' }), WAIT)).toBe(near.name)
          // It had stopped before the other began.
          expect(far.runs.get(job.id)?.abortedAt).toBeLessThan(near.runs.get(job.id)?.begunAt ?? 0)
          far.proxy.setSilent(false)
          await vi.waitFor(() => expect(far.lost).toContain(job.id), WAIT)
          expect(near.lost).not.toContain(job.id)
          // The network is whole again when both are heard.
          for (const { mill } of sides) await vi.waitFor(() => mill.count({}), WAIT)
          const outcomes = (await near.mill.get(job.id))?.history.map(({ outcome }) => outcome) ?? []
          // A claim that was under way as the near one was paused may have brought it the job, which it gave back; one that a busy
          // machine answers after the deadline is lost as well, before anybody has begun with it.
          if (outcomes[0] === 'pending') outcomes.shift()
          expect([new Set(outcomes.slice(0, -1)), outcomes.at(-1)]).toEqual([new Set(['lost']), 'completed'])
        }
        tally({ jobs: PARTITIONS, partitions: PARTITIONS })
        for (const { runs } of sides) expect(runs.size).toBe(PARTITIONS)
      },
      LONG ? 3_600_000 : 60_000,
    )
  })
}

interface Run {
  readonly begunAt: number
  abortedAt: number | undefined
}

/** A worker with a network of its own. While it is holding, what it runs goes on until it is aborted. */
async function side(name: string, direct: string) {
  const { proxy, url } = await startProxyTo(direct)
  const mill = await openMill({ store: withDeadline(url, DEADLINE_MS) })
  const runs = new Map<string, Run>()
  const lost: string[] = []
  const work = { isHolding: true }
  mill.on('lease.lost', ({ jobId }) => lost.push(jobId))
  const held = defineJob({
    name: 'held',
    run: async (_: undefined, job) => {
      const run: Run = { begunAt: performance.now(), abortedAt: undefined }
      runs.set(job.id, run)
      if (!work.isHolding) return name
      await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
      run.abortedAt = performance.now()
      return name
    },
  })
  const worker = mill.work([held], { ...WORK, restart: true })
  return { name, proxy, mill, held, runs, lost, work, pause: () => worker.pause(), resume: () => worker.resume() }
}

async function failureOf(call: () => Promise<unknown>): Promise<{ readonly error: unknown; readonly ms: number }> {
  const begun = performance.now()
  try {
    await call()
    return { error: null, ms: performance.now() - begun }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return { error, ms: performance.now() - begun }
  }
}

async function oneByOne<T, R>(items: readonly T[], call: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  for (const item of items) results.push(await call(item))
  return results
}

async function claimAll(store: Store, workerId: string): Promise<readonly Lease[]> {
  const claim = { workerId, queues: 'all', names: ['n'], limit: ATTEMPTS, leaseMs: LEASE_MS } as const
  const held: Lease[] = []
  for (let more = true; more; ) {
    const result = await store.jobs.exchange({ workerId, settle: [], claim })
    held.push(...result.claimed)
    more = result.more
  }
  return held
}
