import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createKeyRing, Discard, defineJob, Millrace } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

test('list pages through everything once, in both orders, while jobs are added', async () => {
  const mill = await openMill()
  const made = (await mill.enqueueMany(plain, [1, 2, 3, 4, 5])).map((job) => job.id)
  const seen: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await mill.list({ limit: 2, ...(cursor !== undefined && { cursor }) })
    seen.push(...page.jobs.map((job) => job.id))
    await mill.enqueue(plain, 'added meanwhile')
    cursor = page.next
    if (cursor === undefined) break
  }

  expect(seen).toEqual(made.toReversed())
  expect((await mill.list({ order: 'oldest', limit: 5 })).jobs.map((job) => job.id)).toEqual(made)
})

test('why names every reason', async () => {
  const mill = await openMill()
  await mill.queues.pause('q', { by: 'ana', reason: 'bad deploy' })
  const parent = await mill.enqueue(plain, 1, { queue: 'q' })
  const child = await mill.enqueue(plain, 1, { dependsOn: parent })
  const later = await mill.enqueue(plain, 1, { delay: '1h' })

  const codes = async (id: string) => (await mill.why(id)).map(({ code }) => code)

  expect(await codes(parent.id)).toEqual(['paused', 'no-worker'])
  expect(await codes(child.id)).toContain('parents')
  expect(await codes(later.id)).toContain('not-before')
  await expect(mill.why('00000000-0000-7000-8000-000000000000')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
})

test('result waits for another connection, fails as the job did, and gives up in time', async () => {
  const path = tempStorePath()
  const mill = await openMill({ store: `sqlite:${path}` })
  const other = await openMill({ store: `sqlite:${path}` })
  const fails = defineJob({ name: 'fails', run: () => Promise.reject(new Discard('no good')) })
  const [good, bad, never] = [
    await mill.enqueue(plain, { a: 1 }),
    await mill.enqueue(fails),
    await mill.enqueue(plain, 1, { delay: '1h' }),
  ]
  other.work([plain, fails])

  expect(await good.result({ timeout: '10s' })).toEqual({ a: 1 })
  await expect(bad.result({ timeout: '10s' })).rejects.toMatchObject({
    code: 'JOB_FAILED',
    fields: { reason: 'discarded' },
  })
  await expect(never.result({ timeout: '20ms' })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
  await mill.cancel(never.id)
  await expect(never.result()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
})

test('C15: nothing that is sealed stands in the file in the clear', async () => {
  const path = tempStorePath()
  const codec = {
    keys: createKeyRing({ active: 'k1', keys: { k1: Buffer.alloc(32, 7).map((_, i) => (i * 37 + 11) % 251) } }),
  }
  const mill = await Millrace.open({ store: `sqlite:${path}`, codec })
  const tells = defineJob({
    name: 'tells',
    retry: { attempts: 2, delay: 0 },
    run: (input: { card: string; fails: boolean }, job) => {
      job.log(`log-${input.card}`)
      job.progress(0.5, `note-${input.card}`)
      if (input.fails) throw new Error(`error-${input.card}`)
      return { card: `result-${input.card}` }
    },
  })
  const secret = 'SECRET4111SECRET'
  const job = await mill.enqueue(tells, { card: secret, fails: false }, { unique: secret })
  await mill.enqueue(tells, { card: secret, fails: true })
  await mill.work([tells], { drain: true }).done

  expect(await job.result()).toEqual({ card: `result-${secret}` })
  expect((await mill.logs(job.id)).map(({ message }) => message)).toEqual([`log-${secret}`])
  const wal = readFileSync(`${path}-wal`).includes(secret)
  await mill.close()
  expect(wal || readFileSync(path).includes(secret)).toBe(false)
})

test('changes say for each id what became of it', async () => {
  const mill = await openMill()
  const [a, b] = await mill.enqueueMany(plain, [1, 2])
  const ids = [a?.id ?? '', b?.id ?? '']

  expect(await mill.reprioritise(ids, 'high')).toEqual(ids.map((id) => ({ id, outcome: 'updated' })))
  expect(await mill.move(ids, 'other')).toEqual(ids.map((id) => ({ id, outcome: 'updated' })))
  expect(await mill.reschedule(ids, new Date(Date.now() + 60_000))).toEqual(
    ids.map((id) => ({ id, outcome: 'updated' })),
  )
  expect(await mill.get(ids[0] ?? '')).toMatchObject({ priority: 10, queue: 'other', state: 'scheduled' })
  expect(await mill.retry(ids)).toEqual(ids.map((id) => ({ id, outcome: 'retried' })))
  expect(await mill.queues.stats('other')).toMatchObject({ counts: { pending: 2 } })
  expect(await mill.queues.clear('other')).toBe(2)
  expect(await mill.remove(ids)).toEqual(ids.map((id) => ({ id, outcome: 'missing' })))
})
