/**
 * F-33 on a server that takes no packets as large as Millrace's payloads may be: whoever enqueues one is told what is too small, and
 * nobody else is harmed, by it or by a result that is too large.
 */
import { createPool } from 'mysql2/promise'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type BulkEnqueueFields, defineJob, type Millrace, type MillraceError } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOnPrivate, freshStoreUrl, type TestServer } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import { hashOf, noise } from './filling.ts'

const MIB = 2 ** 20
const PACKET_MIB = 2
/** As long as this, a payload goes through. */
const FITS = 900_000
const EXCEEDS = 2 * MIB
const CODEC = { maxBytes: 4 * MIB, maxString: 4 * MIB, compress: false } as const

const echoes = defineJob({ name: 'echoes', retry: false, run: (input: string) => input })
const grows = defineJob({ name: 'grows', retry: false, run: (characters: number) => noise(3, characters) })

await describeOnPrivate('mysql', (server) => cases(server), [`--max-allowed-packet=${PACKET_MIB}M`])

function cases(server: TestServer): void {
  const open = async (): Promise<readonly [Millrace, string]> => {
    const url = await freshStoreUrl(server)
    return [await openMill({ store: url, codec: CODEC }), url]
  }

  describe('a payload that exceeds max_allowed_packet', () => {
    test('is refused by a typed error that names the setting, and the next one is taken', async () => {
      const [mill] = await open()

      const error = (await mill.enqueue(echoes, noise(1, EXCEEDS)).catch((each: unknown) => each)) as MillraceError

      expect(error).toMatchObject({ code: 'STORE_CONSTRAINT' })
      expect(error.message).toContain('max_allowed_packet')
      tally({ 'packets refused': 1 })
      expect((await mill.enqueue(echoes, 'small')).status).toBe('created')
      expect(await mill.count()).toMatchObject({ count: 1 })
    })

    test('is refused alone among those enqueued at the same time', async () => {
      const [mill] = await open()
      const inputs = ['a', noise(1, EXCEEDS), 'b', noise(2, FITS), 'c']

      const outcomes = await Promise.allSettled(inputs.map((input) => mill.enqueue(echoes, input)))

      expect(outcomes.map(({ status }) => status)).toEqual([
        ...['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
      ])
      await mill.work([echoes], { drain: true }).done
      expect(await mill.count({ state: 'completed' })).toMatchObject({ count: 4 })
    })

    test('is told by its place in many, the others are committed', async () => {
      const [mill] = await open()
      const inputs = ['a', 'b', noise(1, EXCEEDS), 'c']

      const error = (await mill.enqueueMany(echoes, inputs).catch((each: unknown) => each)) as MillraceError

      expect(error).toMatchObject({ code: 'BULK_PARTIAL', cause: { code: 'STORE_CONSTRAINT' } })
      const { done, refused, remaining } = error.fields as unknown as BulkEnqueueFields
      expect(done.map(({ index }) => index)).toEqual([0, 1, 3])
      expect(refused).toMatchObject([{ index: 2, code: 'STORE_CONSTRAINT' }])
      expect(remaining).toEqual([2])
      expect(await mill.count()).toMatchObject({ count: 3 })
    })

    test('is refused inside a transaction of the caller’s, which goes on', async () => {
      const [mill, url] = await open()
      const pool = createPool(url)
      onTestFinished(() => pool.end())
      const tx = await pool.getConnection()
      await tx.beginTransaction()

      const inputs = [noise(1, EXCEEDS)]
      const error = await mill
        .enqueueMany(grows, [1], { tx })
        .then(() => mill.store.jobs.insertWithin(tx, [largeJob(inputs[0] ?? '')]))
      await mill.enqueue(grows, 2, { tx })
      await tx.commit()
      tx.release()

      expect(error).toMatchObject([{ status: 'refused', code: 'STORE_CONSTRAINT' }])
      expect(await mill.count()).toMatchObject({ count: 2 })
    })
  })

  test('a result that exceeds it ends its own job, and every other goes on', async () => {
    const [mill] = await open()
    const jobs = await mill.enqueueMany(grows, [10, EXCEEDS, FITS, 20])

    await mill.work([grows], { drain: true }).done

    const found = await Promise.all(jobs.map(({ id }) => mill.get(id)))
    expect(found.map((job) => [job?.state, job?.reason])).toEqual([
      ['completed', null],
      ['failed', 'unreadable'],
      ['completed', null],
      ['completed', null],
    ])
    expect(hashOf(found[2]?.result)).toBe(hashOf(noise(3, FITS)))
    tally({ jobs: jobs.length, 'packets refused': 1 })
    await mill.close()
  })
}

function largeJob(filling: string) {
  const id = '0199f2a0-0000-7000-8000-000000000001'
  return { id, name: 'grows', version: 1, queue: 'default', priority: 5, payload: Buffer.from(filling) }
}
