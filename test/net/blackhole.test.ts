/**
 * F-15 as the kernel does it: workers on a machine of their own, whose cable loses what is sent, or has lost its other end, or this
 * one. The kernel goes on sending for as long as it knows of a connection, so what a worker has given up may still arrive when the
 * cable is mended: a claim that nobody awaits, an enqueue that its caller was told had failed.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { defineJob, type Millrace } from '../../src/index.ts'
import { now } from '../faults/lab/ledgers.ts'
import { type Break, type Cable, layCable } from '../support/cable.ts'
import { type Child, startChild } from '../support/child.ts'
import { LIVE } from '../support/live.ts'
import { openMill } from '../support/mill.ts'
import { lacks } from '../support/needs.ts'
import { childrenOf } from '../support/node-run.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS, type TestServer, withDeadline } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import type { Calls, Moment, Repeats } from './cut-off-worker.ts'

const LEASE_MS = 1_500
const DEADLINE_MS = 800
/** What a busy machine may add to a timer: far less than a call without this deadline takes, or a handler that nobody aborts. */
const SLACK_MS = 2_000
const WAIT = { timeout: 90_000 }
const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const BREAKS: readonly Break[] = ['all is lost', 'answers are lost', 'the far end is down', 'the near end is down']
/** What is the matter, for how many leases. Whoever is near cannot tell a far end that is down from frames that are lost. */
const CASES: readonly (readonly [Break, number])[] = LONG
  ? BREAKS.flatMap((how) => [1, 3, 30].map((leases) => [how, leases] as const))
  : [['all is lost', 1], ...BREAKS.filter((how) => how !== 'the far end is down').map((how) => [how, 3] as const)]
const WORKER = join(import.meta.dirname, 'cut-off-worker.ts')
const held = defineJob<undefined, string>({ name: 'held' })

const cable = await layCable()
if (typeof cable === 'string') console.warn(cable)
if (lacks('network namespaces (unshare --net, ip)', typeof cable !== 'string') || typeof cable === 'string') {
  it.skip('needs network namespaces (unshare --net, ip)', () => undefined)
} else {
  afterAll(() => cable.remove())
  for (const kind of SERVER_KINDS) {
    await describeOn(kind, (server) => {
      let through = (url: string) => url
      beforeAll(async () => {
        through = await cable.lead(server.url)
      })
      for (const [how, leases] of CASES) {
        it(
          `${how} for ${leases} leases: every call ends by its deadline, handlers are aborted within theirs, and all is done after it`,
          () => cutOff(server, cable, through, how, leases),
          150_000 + 3 * leases * LEASE_MS,
        )
      }
    })
  }

  it('a cable that is removed leaves no process behind, and so no machine', async () => {
    const before = childrenOf(process.pid)
    const another = await layCable()
    if (typeof another === 'string') throw new Error(another)
    await another.lead('postgres://127.0.0.1:9/nowhere')
    // Whoever is on each machine, and two that pass on.
    expect(childrenOf(process.pid)).toHaveLength(before.length + 4)

    await another.remove()

    expect(childrenOf(process.pid)).toEqual(before)
  })
}

async function cutOff(
  server: TestServer,
  cable: Cable,
  through: (url: string) => string,
  how: Break,
  leases: number,
): Promise<void> {
  onTestFinished(() => cable.mend())
  const direct = await freshStoreUrl(server)
  const outside = await openMill({ store: direct })
  const start = (restart: string) => {
    const args = [withDeadline(through(direct), DEADLINE_MS), `${LEASE_MS}`, restart]
    return startChild(WORKER, args, onTestFinished, { through: cable.near })
  }
  const jobs = [await outside.enqueue(held, undefined), await outside.enqueue(held, undefined)]
  const [enduring, ending] = [start('restart'), start('')]
  for (const worker of [enduring, ending]) await worker.line('begun ')

  enduring.tell(`call ${leases * LEASE_MS}`)
  await enduring.line('calling')
  cable.break(how)
  const from = now()
  const isOver = ending.ended.then((end) => ({ ...end, ms: now() - from }))
  // Whoever is not cut off takes both jobs over, each after the handler that had it was aborted.
  const other = leases > 1 ? takingOver(outside) : undefined
  for (const worker of [enduring, ending]) await worker.line('aborted ')
  if (other !== undefined) {
    for (const job of jobs) expect(await job.result({ timeout: '20s' })).toBe('outside')
    for (const { id, at } of momentsOf('aborted', enduring, ending)) expect(at).toBeLessThan(other.runs.get(id) ?? 0)
    await other.worker.stop()
    // Three leases without an answer: a worker that does not go on by itself ends its process, and says why.
    const { code, stderr, ms } = await isOver
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('STORE_UNREACHABLE') })
    expect(ms).toBeLessThan(3 * LEASE_MS + SLACK_MS)
  }
  const { begun, accepted, refused, longestMs, wrong } = await answer<Calls>(enduring, 'called')
  expect(ending.isOver).toBe(leases > 1)
  cable.mend()
  const mended = now()
  enduring.tell('repeat')

  expect(wrong).toEqual([])
  expect(refused).toBeGreaterThan(0)
  expect(accepted + refused).toBe(begun)
  // One waits in the batch behind the one that was in flight.
  expect(longestMs).toBeLessThan(2 * DEADLINE_MS + SLACK_MS)
  const aborts = momentsOf('aborted', enduring, ending)
  expect(aborts.map(({ id }) => id).sort()).toEqual(jobs.map(({ id }) => id).sort())
  for (const { at } of aborts) expect(at - from).toBeLessThan(LEASE_MS + SLACK_MS)

  const { created, existing, firstMs } = await answer<Repeats>(enduring, 'repeated')
  expect(created + existing).toBe(refused)
  expect(firstMs).toBeLessThan(2 * DEADLINE_MS + SLACK_MS)
  // Jobs among them that a late claim took for nobody come back after a lease.
  await expect.poll(async () => (await outside.count({ state: LIVE })).count, WAIT).toBe(0)
  if (LONG)
    console.log(JSON.stringify({ how, leases, begun, refused, longestMs, existing, firstMs, allMs: now() - mended }))
  expect(await outside.count({ state: 'completed' }, begun + 3)).toMatchObject({ count: begun + jobs.length })
  for (const { id } of jobs) {
    const outcomes = (await outside.get(id))?.history.map(({ outcome }) => outcome) ?? []
    expect(outcomes.slice(-2)).toEqual(['lost', 'completed'])
    expect(outcomes.slice(0, -1).filter((outcome) => outcome !== 'lost')).toEqual([])
  }
  tally({ jobs: begun + jobs.length, breaks: 1, 'refused calls': refused, 'handlers aborted': aborts.length })
}

/** Another worker, and when it began which job. */
function takingOver(mill: Millrace) {
  const runs = new Map<string, number>()
  const takes = defineJob({
    name: 'held',
    run: (_: undefined, { id }) => {
      runs.set(id, now())
      return 'outside'
    },
  })
  return { runs, worker: mill.work([takes], { lease: LEASE_MS, poll: 20 }) }
}

async function answer<T>(child: Child, word: string): Promise<T> {
  return JSON.parse((await child.line(`${word} `)).slice(word.length))
}

function momentsOf(word: string, ...children: readonly Child[]): readonly Moment[] {
  const lines = children.flatMap((child) => child.lines.filter((line) => line.startsWith(`${word} `)))
  return lines.map((line): Moment => JSON.parse(line.slice(word.length)))
}
