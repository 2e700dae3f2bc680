/** `notify`: who waits is woken by the caller's own commit. */
import { describe, expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOn } from '../support/servers.ts'
import { type Ground, serverGround, sqliteGround } from './ground.ts'

/** No poll comes within the test, but where the server has no notification and the poll is all there is. */
const POLLS = { sqlite: '10m', postgres: '10m', mysql: '250ms' } as const
const DEADLINE = { timeout: 15_000 }

function describeNotify(kind: keyof typeof POLLS, prepare: () => Promise<Ground>) {
  describe(`a job in a transaction with notify on ${kind}`, () => {
    test('is started after the commit, as soon as the database can tell of it', async () => {
      const { store, begin } = await prepare()
      const mill = await openMill({ store })
      const job = defineJob({ name: 'woken', run: () => undefined })
      const idle = defineJob({ name: 'first', run: () => undefined })
      mill.work([job, idle], { poll: POLLS[kind] })
      await (await mill.enqueue(idle)).result({ timeout: '20s' })

      const user = await begin()
      const queued = await mill.enqueue(job, undefined, { tx: user.tx, notify: true })
      await user.end('commit')

      await expect.poll(async () => (await mill.get(queued.id))?.state, DEADLINE).toBe('completed')
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
