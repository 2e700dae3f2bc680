/**
 * Bugs of other job systems, planted here to see whether the simulation finds them: if it does not, its silence about the real
 * code is worth little. Each is put around the real store or into the settings, never into `src`, and named for where it was
 * met. The numbers B-n are those of the reliability plan.
 */
import type { JobsFacet, Settlement, Store } from '../../../src/store/contract/index.ts'
import { wrappedStore } from '../../support/wrapped-store.ts'
import { idOf } from './ledgers.ts'
import {
  cancelsInPauses,
  keepCancelled,
  killStalled,
  newIdAfterDeath,
  recoverPredecessors,
} from './plants-of-deaths.ts'
import { burning, claimTwice, forced, held, sweepOfOldList, withoutBump } from './plants-of-fences.ts'
import { forgetOne, keepDead, keepFirst, keepWithoutFence, recoverStalled } from './plants-of-leases.ts'
import {
  cancelNotWritten,
  releaseOutsideTransaction,
  releaseTwice,
  requeueByDelete,
  uniqueByLooking,
} from './plants-of-steps.ts'
import type { Plant } from './simulation.ts'

/** A planted bug, and what it has to be found by. */
export interface PlantedBug extends Plant {
  readonly name: string
  /** One of these invariants is broken. */
  readonly breaks: RegExp
}

/** Every planted bug. */
export const PLANTED: readonly PlantedBug[] = [
  {
    name: 'completes by state, without the epoch (River, pg-boss)',
    breaks: /^I5/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({
        exchange: afterSettling(jobs, async (settlement) => {
          const row = await jobs.get(settlement.id)
          return row?.state === 'processing' ? held(jobs, row, settlement) : 'lost'
        }),
      })),
  },
  {
    name: 'completes by id, whatever the state (Oban, graphile-worker, Faktory)',
    breaks: /^I5/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({
        exchange: afterSettling(jobs, async (settlement) => {
          const row = await jobs.get(settlement.id)
          if (row === null || row.finishedAt !== null) return 'lost'
          return row.state === 'processing' ? held(jobs, row, settlement) : forced(inner, row, settlement)
        }),
      })),
  },
  {
    name: 'checks the epoch, but not that the job still runs',
    breaks: /^I5/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({
        exchange: afterSettling(jobs, async (settlement) => {
          const row = await jobs.get(settlement.id)
          return row?.state === 'pending' && row.epoch === settlement.epoch ? forced(inner, row, settlement) : 'lost'
        }),
      })),
  },
  { name: 'takes a lease back without a new epoch (bull#308)', breaks: /^I[35]/, store: withoutBump },
  { name: 'gives a row to two claims that read it at once (bull#356)', breaks: /^I[356]/, store: claimTwice },
  { name: 'sweeps by a list that was read earlier (bull#377)', breaks: /^I5/, store: sweepOfOldList },
  {
    name: 'renews all leases of a worker, not those of what it runs (solid_queue#748)',
    breaks: /^I1/,
    store: (inner) => (actor) => ({
      ...bare(inner),
      cluster: {
        ...inner.cluster,
        beat: async (node) => {
          const { rows } = await inner.jobs.list({ filter: { states: ['processing'] }, limit: 1_000 })
          const own = rows.filter(({ workerId }) => workerId === actor.name)
          await inner.jobs.extend(actor.name, own, 5_000)
          return inner.cluster.beat(node)
        },
      },
    }),
  },
  {
    name: 'lets a heartbeat never hear of a loss',
    breaks: /^I5/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({
        extend: async (...args) => (await jobs.extend(...args)).map((answer) => (answer === 'lost' ? 'held' : answer)),
      })),
  },
  {
    name: 'counts a lost lease as an attempt',
    breaks: /^I14/,
    store: (inner) => () => wrappedStore(inner, (jobs) => ({ reclaim: burning(jobs, () => true) })),
  },
  {
    name: 'burns an attempt when a job takes its worker down',
    breaks: /^I14/,
    store: (inner) => {
      const started = new Set<string>()
      return () =>
        wrappedStore(inner, (jobs) => ({
          start(workerId, lease) {
            started.add(`${lease.id} ${lease.epoch}`)
            return jobs.start(workerId, lease)
          },
          reclaim: burning(jobs, ({ id, epoch }) => started.has(`${id} ${epoch}`)),
        }))
    },
  },
  {
    name: "lets the worker's clock decide when a lease ends (B-36)",
    breaks: /^I[456]/,
    store: (inner, _world, plan) => (actor) => {
      const ahead = plan.slots[actor.slot]?.skewMs ?? 0
      return wrappedStore(inner, (jobs) => ({
        exchange(request) {
          const { claim } = request
          if (claim === undefined) return jobs.exchange(request)
          return jobs.exchange({ ...request, claim: { ...claim, leaseMs: claim.leaseMs + ahead } })
        },
        extend: (workerId, leases, leaseMs) => jobs.extend(workerId, leases, leaseMs + ahead),
      }))
    },
  },
  {
    name: 'takes no rows written for written (solid_queue#589)',
    breaks: /^I5|told/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({ exchange: afterSettling(jobs, () => Promise.resolve('settled')) })),
  },
  {
    name: 'accepts stale progress',
    breaks: /^I5/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({
        report: async (workerId, reports) => {
          const answers = await jobs.report(workerId, reports)
          return Promise.all(
            answers.map(async (answer, i) => {
              const news = reports[i]
              const row = answer === 'lost' && news !== undefined ? await jobs.get(news.id) : null
              if (news === undefined || row?.state !== 'processing') return answer
              const [again = 'lost'] = await jobs.report(row.workerId ?? '', [{ ...news, epoch: row.epoch }])
              return again
            }),
          )
        },
      })),
  },
  {
    name: 'keeps the checkpoint of a stale attempt',
    breaks: /^I5/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({
        saveCheckpoint: async (workerId, lease, bytes) => {
          const answer = await jobs.saveCheckpoint(workerId, lease, bytes)
          const row = answer === 'lost' ? await jobs.get(lease.id) : null
          if (row?.state !== 'processing') return answer
          return jobs.saveCheckpoint(row.workerId ?? '', { id: row.id, epoch: row.epoch }, bytes)
        },
      })),
  },
  {
    name: 'writes a checkpoint, and then looks who holds the job',
    breaks: /^I5.*checkpoint/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({
        saveCheckpoint: async (workerId, lease, bytes) => {
          const row = await jobs.get(lease.id)
          if (row?.state === 'processing')
            await jobs.saveCheckpoint(row.workerId ?? '', { id: row.id, epoch: row.epoch }, bytes)
          return jobs.saveCheckpoint(workerId, lease, bytes)
        },
      })),
  },
  {
    name: 'takes back what others run, too, when a worker has died (Oban)',
    breaks: /^I5/,
    store: (inner) => () =>
      wrappedStore(inner, (jobs) => ({
        recover: async (_workerId, started, limit) => {
          const { rows } = await jobs.list({ filter: { states: ['processing'] }, limit: 1_000 })
          const workers = new Set(rows.map(({ workerId }) => workerId ?? ''))
          return (await Promise.all([...workers].map((each) => jobs.recover(each, started, limit)))).flat()
        },
      })),
  },
  { name: "keeps what is another worker's by now", breaks: /^I5.*keep/, store: keepWithoutFence },
  { name: 'keeps one of the leases of a stalled worker', breaks: /^I4.*kept it/, client: keepFirst },
  { name: 'takes a stalled worker for a dead one', breaks: /^I4.*lives/, client: recoverStalled },
  { name: 'goes on keeping leases after the kill', breaks: /^I13.*died/, client: keepDead },
  { name: 'forgets a lease when another call has failed', breaks: /^I4.*extended it/, client: forgetOne },
  {
    name: 'kills any stalled worker as one that is deaf to a cancel',
    breaks: /^I4.*heard of none/,
    client: killStalled,
  },
  {
    name: 'never hears of a cancel by a keep',
    breaks: /^I13.*deaf/,
    client: keepCancelled,
    plan: cancelsInPauses,
  },
  { name: 'takes back what the workers of a dead node still hold', breaks: /^I4.*lives/, client: recoverPredecessors },
  { name: 'works on when its supervisor is gone', breaks: /^I13.*orphan/, isOrphanDeaf: true },
  { name: 'takes a change of many for done at which its operator died', breaks: /^bulk/, isTakenForDone: true },
  { name: 'enqueues what a dead producer had begun under a new id', breaks: /^I2/, idFor: newIdAfterDeath },
  { name: 'enqueues again under a new id', breaks: /^I2/, idFor: (n, tries) => idOf(n + tries * 100_000) },
  { name: 'looks whether a key is free, then inserts (oban#1087)', breaks: /^unique/, store: uniqueByLooking },
  { name: 'requeues by delete and insert (laravel/ideas#1364)', breaks: /^I1:.*nowhere/, store: requeueByDelete },
  {
    name: 'releases dependents twice (solid_queue#761)',
    breaks: /^I10/,
    store: releaseTwice,
    // It takes a lost answer, and few seeds have many of them.
    plan: (plan) => ({ ...plan, rates: { ...plan.rates, unheard: 0.1 } }),
  },
  { name: 'releases dependents after the commit (bullmq#2464)', breaks: /^I1/, store: releaseOutsideTransaction },
  { name: 'tells a worker of a cancel without writing it down', breaks: /^I[15]/, store: cancelNotWritten },
  { name: 'trusts hints and never polls (graphile-worker#541)', breaks: /^I1/, settings: { poll: '1h' } },
  {
    name: 'waits for a call without a deadline (river#1251)',
    breaks: /^I1/,
    plan: (plan) => ({ ...plan, deadlineMs: 1e9 }),
  },
  {
    name: 'pauses a queue only at the next look',
    breaks: /^I9/,
    store: (inner, world) => (actor) => ({
      ...bare(inner),
      queues: {
        ...inner.queues,
        pause: async (queue, by, reason) => {
          world.after(actor, 300, () => void inner.queues.pause(queue, by, reason))
        },
      },
    }),
  },
]

/** An exchange that does something about settlements which were refused. */
function afterSettling(
  jobs: JobsFacet,
  mend: (settlement: Settlement) => Promise<'settled' | 'cancelled' | 'lost'>,
): JobsFacet['exchange'] {
  return async (request) => {
    const { settled } = await jobs.exchange({ workerId: request.workerId, settle: request.settle })
    const mended = await Promise.all(
      settled.map((answer, i) => {
        const settlement = request.settle[i]
        return answer === 'lost' && settlement !== undefined ? mend(settlement) : answer
      }),
    )
    return { ...(await jobs.exchange({ ...request, settle: [] })), settled: mended }
  }
}

/** A store as an object of its own, to put other facets into. */
function bare(inner: Store): Store {
  const { description, file, capabilities, jobs, queues, state, cluster, wake, copy } = inner
  return {
    ...{ description, file, capabilities, jobs, queues, state, cluster, wake, copy },
    open: () => inner.open(),
    close: () => inner.close(),
    time: () => inner.time(),
    ping: () => inner.ping(),
    migrate: () => inner.migrate(),
    plan: (from) => inner.plan(from),
    schemaVersion: () => inner.schemaVersion(),
    diagnose: () => inner.diagnose(),
  }
}
