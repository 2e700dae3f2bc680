/** Filters as callers write them, and changes of all jobs that match. */
import { describe, expect, test } from 'vitest'
import { Discard, defineJob, type Millrace } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

const job = defineJob({ name: 'send-mail', run: (input: unknown) => input })
const fails = defineJob({
  name: 'charge',
  retry: false,
  run: (why: string) => Promise.reject(new Discard(why)),
})

describe('where', () => {
  test('finds by what a row has, by what errors say, and by words', async () => {
    const mill = await failed(['card declined', 'timeout after 5s', 'Timeout after 9s'])
    const waiting = await mill.enqueue(job, 1, { tags: ['nightly'], queue: 'mails' })
    const found = async (where: string) => (await mill.list({ where, order: 'oldest' })).jobs.map(({ id }) => id)
    const [declined = '', slow = '', slower = ''] = await found('state:failed')

    expect(await found('error:timeout')).toEqual([slow, slower])
    expect(await found('state:failed -error:timeout')).toEqual([declined])
    expect(await found('declined')).toEqual([declined])
    expect(await found('mail')).toEqual([waiting.id])
    expect(await found(waiting.id)).toEqual([waiting.id])
    expect(await found('tag:nightly priority:normal age<1h')).toEqual([waiting.id])
    expect(await found('age>1h')).toEqual([])
    expect(await mill.count({ where: 'error:timeout' })).toEqual({ count: 2, capped: false })
    expect(await mill.count({ where: 'error:timeout' }, 1)).toEqual({ count: 1, capped: true })
    expect(await mill.count({ where: '-queue:mails' })).toEqual({ count: 3, capped: false })
  })

  test('holds together with the other options', async () => {
    const mill = await failed(['a', 'b'])
    await mill.enqueue(job, 1)

    expect(await mill.count({ where: 'state:failed,pending', state: 'failed' })).toMatchObject({ count: 2 })
    expect(await mill.count({ where: 'state:pending', state: 'failed' })).toMatchObject({ count: 0 })
    expect(await mill.count({ where: '', state: ['pending'] })).toMatchObject({ count: 1 })
  })

  test('pages through what errors say, each job once', async () => {
    const mill = await failed(Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? 'no money' : 'other')))
    const seen: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await mill.list({ where: 'error:money', limit: 4, ...(cursor !== undefined && { cursor }) })
      seen.push(...page.jobs.map(({ error }) => String(error?.message)))
      cursor = page.next
      if (cursor === undefined) break
    }

    expect(seen).toEqual(Array.from({ length: 10 }, () => 'no money'))
  })

  test('is refused with the place of the fault, and so is a cursor that no list gave', async () => {
    const mill = await openMill()

    await expect(mill.list({ where: 'state:faild' })).rejects.toMatchObject({
      code: 'FILTER_INVALID',
      fields: { column: 7 },
      hint: 'Did you mean failed?',
    })
    await expect(mill.list({ cursor: 'garbage' })).rejects.toMatchObject({ code: 'CURSOR_INVALID' })
    await expect(mill.list({ where: 5 as unknown as string })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('changes by filter', () => {
  test('do it to every job that matches, and to no other', async () => {
    const mill = await failed(['timeout', 'declined', 'timeout'])
    const other = await mill.enqueue(job, 1, { queue: 'mails' })

    expect(await mill.retryWhere('error:timeout')).toEqual({ matched: 2, outcomes: { retried: 2 } })
    expect(await mill.moveWhere({ queue: 'default', state: 'pending' }, 'later')).toMatchObject({
      outcomes: { updated: 2 },
    })
    expect(await mill.reprioritiseWhere('queue:later', 'high')).toMatchObject({ outcomes: { updated: 2 } })
    expect(await mill.count({ where: 'queue:later priority:high' })).toMatchObject({ count: 2 })
    expect(await mill.cancelWhere('name:charge')).toEqual({ matched: 3, outcomes: { cancelled: 2, final: 1 } })
    expect(await mill.removeWhere('state:cancelled,failed')).toEqual({ matched: 3, outcomes: { removed: 3 } })
    expect((await mill.list()).jobs.map(({ id }) => id)).toEqual([other.id])
  })

  test('tell how far they are, chunk by chunk, and of each job that is cancelled', async () => {
    const mill = await openMill()
    await mill.enqueueMany(job, Array.from({ length: 1_100 }))
    const told: number[] = []
    let cancelled = 0
    mill.on('job.cancelled', () => cancelled++)

    await mill.cancelWhere('state:pending', { onProgress: ({ matched }) => told.push(matched) })

    expect(told).toEqual([500, 1_000, 1_100])
    expect(cancelled).toBe(1_100)
  })

  test('stop when they are told to, and go on from there without jobs made meanwhile', async () => {
    const mill = await openMill()
    await mill.enqueueMany(job, Array.from({ length: 1_100 }))
    const stop = new AbortController()
    const stopped: { fields: Record<string, unknown> } = await mill
      .moveWhere('state:pending', 'later', { signal: stop.signal, onProgress: () => stop.abort() })
      .then(
        () => Promise.reject(new Error('it went on')),
        (error) => error,
      )
    const { cursor, createdBefore, matched } = stopped.fields as {
      cursor: string
      createdBefore: Date
      matched: number
    }
    await mill.enqueueMany(job, [1, 2], { queue: 'new' })

    const rest = await mill.moveWhere('state:pending', 'later', {
      cursor,
      createdBefore: new Date(createdBefore.getTime() - 1),
    })

    expect(stopped).toMatchObject({ code: 'BULK_PARTIAL', fields: { outcomes: { updated: 500 } } })
    expect(matched + rest.matched).toBeLessThanOrEqual(1_100)
    expect(await mill.count({ queue: 'new' })).toMatchObject({ count: 2 })
  })

  test('show what they would meet', async () => {
    const mill = await failed(['a', 'b', 'c', 'd', 'e', 'f'])

    const { count, capped, jobs } = await mill.preview('state:failed')

    expect([count, capped, jobs.length]).toEqual([6, false, 5])
    expect(jobs[0]?.error?.message).toBe('f')
    expect(await mill.preview('state:completed')).toEqual({ count: 0, capped: false, jobs: [] })
  })

  test.each(['', '  ', {}, { where: '' }, { state: undefined }])('are refused without a filter: %j', async (where) => {
    const mill = await openMill()

    await expect(mill.removeWhere(where as string)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(mill.preview(where as string)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test('refuse a queue, a priority and options that are none before anything is changed', async () => {
    const mill = await openMill()
    const { id } = await mill.enqueue(job, 1)

    await expect(mill.moveWhere('state:pending', 'no such queue!')).rejects.toMatchObject({ code: 'NAME_INVALID' })
    await expect(mill.reprioritiseWhere('state:pending', 101)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(mill.cancelWhere({ stat: 'pending' } as never)).rejects.toMatchObject({ code: 'OPTION_UNKNOWN' })
    expect(await mill.get(id)).toMatchObject({ state: 'pending', queue: 'default', priority: 5 })
  })
})

/** A store with one failed job for each reason, oldest first. */
async function failed(reasons: readonly string[]): Promise<Millrace> {
  const mill = await openMill({ store: `sqlite:${tempStorePath()}` })
  await mill.enqueueMany(fails, reasons)
  await mill.work([fails], { drain: true }).done
  return mill
}
