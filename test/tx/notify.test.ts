/** `notify`: who waits is woken by the caller's own commit. */
import { describe, expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, type ServerKind } from '../support/servers.ts'
import { type Ground, serverGround, sqliteGround } from './ground.ts'
import { POLL_MS, workerAtRest } from './worker-at-rest.ts'

function describeNotify(kind: 'sqlite' | ServerKind, prepare: () => Promise<Ground>) {
  async function rested(hints: 'heard' | 'lost') {
    const { store, begin } = await prepare()
    const mill = await openMill({ store })
    // Nobody takes it, and it stays the first in line: on MySQL who is first in line is a hint of its own.
    await mill.enqueue(defineJob({ name: 'unknown here', run: () => undefined }), undefined, { priority: 'urgent' })
    const start = Promise.withResolvers<void>()
    const job = defineJob({ name: 'woken', run: () => start.resolve() })
    const worker = await workerAtRest(store, [job], hints)
    const end = async (how: 'commit' | 'rollback', run = job) => {
      const user = await begin()
      await mill.enqueue(run, undefined, { tx: user.tx, notify: true })
      await user.end(how)
    }
    return { store, worker, end, commit: () => end('commit'), started: start.promise }
  }

  describe(`a job in a transaction with notify on ${kind}`, () => {
    // Its clock stands still, so that no poll comes.
    test('is started by the commit', async () => {
      const { worker, commit, started } = await rested('heard')

      await commit()
      await started

      expect(worker.claims()).toContain(1)
    })

    test('is started by the next poll where nothing is heard of it', async () => {
      const { worker, commit, started } = await rested('lost')

      await commit()
      const claimsBefore = [...worker.claims()]
      worker.advance(POLL_MS)
      await started

      expect(claimsBefore).toEqual([])
      expect(worker.claims()[0]).toBe(1)
    })
  })
}

describeNotify('sqlite', sqliteGround)
for (const kind of ['postgres', 'mysql'] as const) {
  await describeOn(kind, (server) => describeNotify(kind, () => serverGround(server)))
}

test('notify needs a transaction, and is true or false', async () => {
  const mill = await openMill()
  const job = defineJob({ name: 'woken', run: () => undefined })

  await expect(mill.enqueue(job, undefined, { notify: true })).rejects.toThrow(/there is no `tx`/)
  await expect(mill.enqueue(job, undefined, { tx: {}, notify: 1 as never })).rejects.toThrow(/true or false/)
})
