/** The steps of a random sequence: each runs one operation on a store and on the reference, and compares the answers. */
import { createHash } from 'node:crypto'
import type { Arbitrary, AsyncCommand } from 'fast-check'
import { expect } from 'vitest'
import type { ManualClock } from '../../base/clock.ts'
import { JOB_STATES, type JobState } from '../../core/job/state.ts'
import type { ClaimRequest, ExchangeResult, Lease, NewJob, ResealResult, Store } from '../contract/index.ts'
import { bytes, LEASE_MS } from './fixture.ts'
import { conditionsOf, inTime } from './model-conditions.ts'
import { type JobSketch, jobSketches } from './model-jobs.ts'
import { jobsOf, type Pool } from './model-pool.ts'
import { KINDS, settlementOf } from './model-settlements.ts'

type FastCheck = typeof import('fast-check')

/** The store under test and the reference, going by one clock. */
export interface Both {
  readonly real: Store
  readonly reference: Store
  readonly clock: ManualClock
}

/** Above everything a sequence can make due at once. */
const ALL = 10_000
const QUEUES = ['q0', 'q1', 'Q1'] as const

/** Every kind of step, each as an arbitrary of commands. Those that make and move jobs stand there more than once. */
export function commandsOf(fc: FastCheck): readonly Arbitrary<AsyncCommand<Pool, Both>>[] {
  const ref = fc.nat(1_000)
  const refs = fc.array(ref, { minLength: 1, maxLength: 4 })
  const delay = fc.constantFrom(0, 1, 5, 50, 1_000, LEASE_MS)
  const queue = fc.constantFrom(...QUEUES)
  const worker = fc.constantFrom('w0', 'w0', 'w1')
  const states = fc.subarray<JobState>([...JOB_STATES], { minLength: 1 })
  const insert = step('insert', fc.array(jobSketches(fc, ref), { minLength: 1, maxLength: 5 }), (sketches, pool) => {
    return insertion(jobsOf(sketches, pool), pool)
  })
  const claim = fc.record({ limit: fc.constantFrom(1, 3, 100), max: fc.constantFrom(1, 3, 100, 100), all: fc.nat(5) })
  const exchange = step(
    'exchange',
    fc.record({
      worker,
      stranger: fc.integer({ min: 0, max: 9 }),
      settle: fc.array(fc.record({ ref, kind: fc.nat(KINDS - 1), delay, run: fc.nat(90) }), {
        maxLength: 4,
      }),
      claim: fc.option(claim, { freq: 3, nil: undefined }),
      order: fc.shuffledSubarray([...QUEUES], { minLength: 2 }),
      names: fc.subarray(['a', 'b', 'B'], { minLength: 2 }),
    }),
    (x, pool) => {
      const settle = x.settle.map((s) => settlementOf(pool.lease(s.ref), s.kind, s.delay, s.run))
      // Mostly who holds what it settles; now and then somebody else.
      const [first] = x.settle
      const workerId = first === undefined || x.stranger === 0 ? x.worker : pool.lease(first.ref).workerId
      const request = { workerId, settle }
      const settled = (answer: ExchangeResult) =>
        pool.released(settle.filter((_, i) => answer.settled[i] !== 'lost').map(({ id }) => id))
      if (x.claim === undefined) {
        return async (store, isReference) => {
          const answer = await store.jobs.exchange(request)
          if (isReference) settled(answer)
          return answerOf(answer, false)
        }
      }
      const isAll = x.claim.all === 0
      const max = x.claim.max
      const wanted: ClaimRequest = {
        workerId,
        queues: isAll ? 'all' : x.order.map((name) => ({ queue: name, max })),
        names: x.names,
        limit: isAll ? ALL : x.claim.limit,
        leaseMs: LEASE_MS,
        // Which queue comes first decides where a suspect stands.
        ...(isAll || x.claim.all === 1 ? { noSuspects: true } : {}),
      }
      return async (store, isReference) => {
        const answer = await store.jobs.exchange({ ...request, claim: wanted })
        if (isReference) {
          settled(answer)
          pool.claimed(answer.claimed, workerId)
        }
        return answerOf(answer, isAll)
      }
    },
  )
  const advance = step('advance', fc.constantFrom(1, 5, 100, 1_000, LEASE_MS + 1, 300_000), (ms, _pool, clock) => {
    clock.advance(ms)
    return (store) => store.time()
  })
  const reclaim = step('reclaim', fc.constantFrom(0, LEASE_MS + 1), (ms, pool, clock) => {
    clock.advance(ms)
    return async (store) => {
      const lost = await store.jobs.reclaim(ALL)
      pool.released(lost.map(({ id }) => id))
      return byId(lost)
    }
  })
  const recover = step('recover', fc.record({ worker, refs }), (x, pool) => {
    const started = x.refs.map((one) => fence(pool.lease(one)))
    return async (store) => {
      const lost = await store.jobs.recover(x.worker, started, ALL)
      pool.released(lost.map(({ id }) => id))
      return byId(lost)
    }
  })
  return [
    insert,
    insert,
    insert,
    recover,
    exchange,
    exchange,
    exchange,
    exchange,
    advance,
    reclaim,
    step('insert alike', fc.record({ count: fc.integer({ min: 10, max: 12 }), repeat: fc.nat(40) }), (x, pool) => {
      const sketches = Array.from({ length: x.count }, (_, i) => ({ ...BARE, again: i === x.repeat }))
      return insertion(jobsOf(sketches, pool), pool)
    }),
    step('extend', fc.record({ refs, worker }), (x, pool) => {
      const leases = x.refs.map((one) => fence(pool.lease(one)))
      return (store) => store.jobs.extend(x.worker, leases, LEASE_MS * 2)
    }),
    step('start', ref, (one, pool) => {
      const lease = pool.lease(one)
      return (store) => store.jobs.start(lease.workerId, fence(lease))
    }),
    step(
      'report',
      fc.record({ ref, progress: fc.constantFrom(0, 0.25, 1), seq: fc.nat(5), note: fc.boolean() }),
      (x, pool) => {
        const lease = pool.lease(x.ref)
        const logs = [{ seq: x.seq, level: 'info' as const, message: bytes(`line ${x.ref}`) }]
        const news = { progress: x.progress, logs, ...(x.note ? { note: bytes(`note ${x.ref}`) } : {}) }
        return (store) => store.jobs.report(lease.workerId, [{ ...fence(lease), ...news }])
      },
    ),
    step('checkpoint', fc.record({ ref, size: fc.constantFrom(0, 10, 3_000) }), (x, pool) => {
      const lease = pool.lease(x.ref)
      return (store) => store.jobs.saveCheckpoint(lease.workerId, fence(lease), bytes('c'.repeat(x.size)))
    }),
    step('promote', fc.constantFrom(0, 1_000, 60_000), (ms, _pool, clock) => {
      clock.advance(ms)
      return (store) => store.jobs.promote(ALL)
    }),
    step('expire', fc.constant(ALL), (limit) => (store) => store.jobs.expire(limit)),
    step('unblock', fc.subarray(['k1', 'k2'], { minLength: 1 }), (keys) => (store) => store.jobs.unblock(keys, ALL)),
    step('cancel', refs, (all, pool) => (store) => store.jobs.cancel(all.map((one) => pool.id(one)))),
    step('retry', refs, (all, pool) => (store) => store.jobs.retry(all.map((one) => pool.id(one)))),
    step(
      'update',
      fc.record({ refs, priority: fc.option(fc.nat(100)), queue: fc.option(queue), ahead: fc.option(delay) }),
      (x, pool, clock) => {
        const change = {
          ...(x.priority === null ? {} : { priority: x.priority }),
          ...(x.queue === null ? {} : { queue: x.queue }),
          ...(x.ahead === null ? {} : { runAt: clock.now() + x.ahead - 5 }),
        }
        return (store) => store.jobs.update(all(x.refs, pool), change)
      },
    ),
    step('remove', refs, (some, pool) => (store) => store.jobs.remove(all(some, pool))),
    step(
      'prune',
      fc.record({ keptMs: fc.constantFrom(0, 200_000), ms: fc.constantFrom(0, 130_000) }),
      (x, _pool, clock) => {
        clock.advance(x.ms)
        const retention = { completedMs: x.keptMs, failedMs: x.keptMs / 2, cancelledMs: 0 }
        return (store) => store.jobs.prune(retention, ALL)
      },
    ),
    step('pause', queue, (name) => (store) => store.queues.pause(name, 'me', 'why')),
    step('resume', queue, (name) => (store) => store.queues.resume(name)),
    step('resume', queue, (name) => (store) => store.queues.resume(name)),
    step('clear', fc.record({ queue, states }), (x) => (store) => store.queues.clear(x.queue, x.states, ALL)),
    step('list', fc.record({ states, queue, up: fc.boolean(), limit: fc.constantFrom(1, 3, 200) }), (x) => (store) => {
      const filter = { states: x.states, queues: [x.queue] }
      return store.jobs.list({ filter, limit: x.limit, oldestFirst: x.up })
    }),
    step('filter', fc.record({ where: conditionsOf(fc), up: fc.boolean() }), (x, _pool, clock) => (store) => {
      const where = x.where.map((condition) => inTime(condition, clock.now()))
      return store.jobs.list({ filter: { where }, limit: 200, oldestFirst: x.up })
    }),
    step(
      'change',
      fc.record({
        states,
        queue,
        limit: fc.constantFrom(1, 3, ALL),
        kind: fc.constantFrom('cancel', 'retry', 'remove', 'move'),
      }),
      (x) => async (store) => {
        const change =
          x.kind === 'move' ? ({ kind: 'update', change: { queue: 'Q1' } } as const) : ({ kind: x.kind } as const)
        return store.jobs.changeWhere({ filter: { states: x.states, queues: [x.queue] }, change, limit: x.limit })
      },
    ),
    step('count', fc.record({ states, tag: fc.constantFrom('t', 'T'), cap: fc.constantFrom(0, 2, ALL) }), (x) => {
      return (store) => store.jobs.count({ states: x.states, tag: x.tag }, x.cap)
    }),
    step('finished', refs, (some, pool) => (store) => store.jobs.finished([...new Set(all(some, pool))]).then(byId)),
    step('queues', queue, (name) => async (store) => [await store.queues.list(), await store.queues.stats(name)]),
    step('reseal', fc.record({ limit: fc.constantFrom(1, 3, ALL), grow: fc.boolean() }), (x) => async (store) => {
      const counts = { visited: 0, rewritten: 0 }
      let cursor: string | null = null
      do {
        const page: ResealResult = await store.jobs.reseal(cursor, x.limit, ({ fields }) =>
          fields.map((field) => ({ ...field, bytes: resealed(field.bytes, x.grow) })),
        )
        counts.visited += page.visited
        counts.rewritten += page.rewritten
        cursor = page.next
      } while (cursor !== null)
      return counts
    }),
    step('due', fc.constant(undefined), () => (store) => store.jobs.nextDue()),
  ]
}

/** Bytes as text, so that a Buffer and a Uint8Array of the same bytes are equal and a difference can be read. */
export function plain(value: unknown): unknown {
  const text = JSON.stringify(value ?? null, function (this: Record<string, unknown>, key: string, inner: unknown) {
    const own = this[key]
    return own instanceof Uint8Array ? textOfBytes(own) : inner
  })
  return JSON.parse(text)
}

function textOfBytes(data: Uint8Array): string {
  const start = Buffer.from(data).toString('utf8', 0, 40)
  return data.length <= 40
    ? `bytes ${start}`
    : `bytes ${start}… (${data.length}) ${createHash('sha256').update(data).digest('hex')}`
}

/** One operation, made ready: asks a store and returns what it answered, in a form that can be compared. */
export type Operation = (store: Store, isReference: boolean) => Promise<unknown>

/** Makes commands from an arbitrary argument. `prepare` runs once, before either store is asked. */
function step<T>(
  name: string,
  argument: Arbitrary<T>,
  prepare: (argument: T, pool: Pool, clock: ManualClock) => Operation,
): Arbitrary<AsyncCommand<Pool, Both>> {
  return argument.map((given) => ({
    check: () => true,
    async run(pool: Pool, { real, reference, clock }: Both) {
      const operation = prepare(given, pool, clock)
      const expected = await operation(reference, true)
      expect(plain(await operation(real, false)), name).toEqual(plain(expected))
    },
    toString: () => `${name} ${JSON.stringify(given)}`,
  }))
}

/** A job with nothing special about it. */
export const BARE: JobSketch = { order: 7, queue: 'q0', name: 'a', priority: 5, size: 1, again: false, parents: [] }

/** Inserts on both stores, and keeps the ids. */
export function insertion(jobs: readonly NewJob[], pool: Pool): Operation {
  return async (store, isReference) => {
    const results = await store.jobs.insert(jobs)
    if (isReference) pool.inserted(results)
    // The sentence of a refusal is each driver's own.
    return results.map((result) => ({ ...result, message: undefined }))
  }
}

function answerOf(answer: ExchangeResult, isUnordered: boolean): unknown {
  const cancelling = byId(answer.cancelling)
  return { ...answer, cancelling, claimed: isUnordered ? byId(answer.claimed) : answer.claimed }
}

/** Other bytes instead, large or small whatever they were. */
function resealed(old: Uint8Array, grow: boolean): Uint8Array {
  const text = `again ${Buffer.from(old).toString('utf8', 0, 20)}`
  return bytes(grow ? text.padEnd(3_000, '.') : text)
}

function byId<T extends { readonly id: string }>(rows: readonly T[]): readonly T[] {
  return rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

function fence({ id, epoch }: Lease): Lease {
  return { id, epoch }
}

function all(refs: readonly number[], pool: Pool): readonly string[] {
  return refs.map((ref) => pool.id(ref))
}
