/** Law 10: an error has a kind; and what cannot be done says so. */
import { describe, expect } from 'vitest'
import { StoreError } from '../../core/errors.ts'
import { type Case, claimRequest, newJob } from './fixture.ts'

/** The cases of kinds of errors. */
export function errorCases(test: Case): void {
  describe('errors', () => {
    test('every call on a closed store fails with kind closed', async (f) => {
      const { jobs, queues, state, cluster } = f.store
      await f.store.close()
      const lease = { id: 'x', epoch: 1 }
      const retention = { completedMs: 0, failedMs: 0, cancelledMs: 0 }
      const calls: readonly (() => Promise<unknown>)[] = [
        () => jobs.insert([newJob()]),
        () => jobs.exchange({ workerId: 'w', settle: [], claim: claimRequest() }),
        () => jobs.extend('w1', [lease], 1),
        () => jobs.extendWaiting('w1', [lease], 1),
        () => jobs.start('w1', lease),
        () => jobs.report('w1', [lease]),
        () => jobs.saveCheckpoint('w1', lease, new Uint8Array(1)),
        () => jobs.checkpoint('x'),
        () => jobs.promote(1),
        () => jobs.expire(1),
        () => jobs.nextDue(),
        () => jobs.reclaim(1),
        () => jobs.recover('w', [lease], 1),
        () => jobs.unblock(['k'], 1),
        () => jobs.cancel(['x']),
        () => jobs.retry(['x']),
        () => jobs.update(['x'], { priority: 1 }),
        () => jobs.remove(['x']),
        () => jobs.prune(retention, 1),
        () => jobs.get('x'),
        () => jobs.finished(['x']),
        () => jobs.list({ filter: {}, limit: 1 }),
        () => jobs.count({}, 1),
        () => jobs.logs('x', 0, 1),
        () => jobs.edges('x'),
        () => jobs.reseal(null, 1, () => []),
        () => queues.list(),
        () => queues.stats('q'),
        () => queues.pause('q', 'a', 'b'),
        () => queues.resume('q'),
        () => queues.clear('q', ['pending'], 1),
        () => state.get('k'),
        () => state.put('k', 'v', null),
        () => state.list('', 1),
        () => cluster.nodes(1),
        () => f.store.copy.read('live', null, 1),
        () => f.store.copy.write('queues', [{ name: 'q', pausedAt: 1, pausedBy: 'a', pauseReason: 'b' }]),
        () => cluster.remove('n'),
        () => cluster.post({ to: 'n', verb: 'stop', by: 'a', ttlMs: 1 }),
        () => cluster.take('n'),
        () => f.store.ping(),
        () => f.store.time(),
        () => f.store.migrate(),
        () => f.store.plan(),
        () => f.store.diagnose(),
        () => f.store.schemaVersion(),
      ]
      for (const call of calls) {
        const error = await call().then(
          () => new Error(`not refused: ${String(call)}`),
          (reason: unknown) => reason,
        )
        expect(error).toBeInstanceOf(StoreError)
        expect(error).toMatchObject({ kind: 'closed', code: 'STORE_CLOSED' })
      }
    })

    test('an insert within a foreign thing is refused', async (f) => {
      const attempt = async () => f.jobs.insertWithin({ not: 'a transaction' }, [newJob()])

      const settling = async () =>
        f.jobs.settleWithin({ not: 'a transaction' }, 'w', {
          id: 'x',
          epoch: 1,
          runMs: 0,
          to: 'completed',
          result: null,
        })

      await expect(attempt()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
      await expect(settling()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    })
  })
}
