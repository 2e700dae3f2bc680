/** Many jobs whose store loses answers: none is there twice and none is lost, by the call itself or when it is repeated. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { newId } from '../../src/base/id.ts'
import { type BulkEnqueueFields, defineJob, ManualClock, Millrace, MillraceError, StoreError } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { describeOnEvery } from '../support/every-store.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

/** What becomes of a call: `lost` is committed, and nobody is told; `cut` never arrives. Those after the last are `heard`. */
type Fate = 'heard' | 'lost' | 'cut'

function losing(inner: Store, fates: readonly Fate[], onCall: () => void = () => {}): Store {
  let calls = 0
  return wrappedStore(inner, (jobs) => ({
    async insert(rows) {
      onCall()
      const fate = fates[calls++] ?? 'heard'
      const results = fate === 'cut' ? [] : await jobs.insert(rows)
      if (fate === 'heard') return results
      throw new StoreError('transient', 'STORE_UNREACHABLE', 'the connection broke')
    },
  }))
}

/** The numbers that stand in the store, smallest first. */
async function stored(mill: Millrace): Promise<readonly number[]> {
  const found: number[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await mill.list({ limit: 200, ...(cursor !== undefined && { cursor }) })
    for (const { input } of page.jobs) found.push(input as number)
    cursor = page.next
    if (cursor === undefined) return found.sort((a, b) => a - b)
  }
}

async function failureOf(adding: Promise<unknown>): Promise<{ error: MillraceError; fields: BulkEnqueueFields }> {
  const error = await adding.then(() => Promise.reject(new Error('it did not fail')), failed)
  return { error, fields: fieldsOf(error) }
}

function failed(error: unknown): MillraceError {
  if (!(error instanceof MillraceError)) throw error
  return error
}

function fieldsOf({ fields }: MillraceError): BulkEnqueueFields {
  // What the docstring of `enqueueMany` promises.
  return fields as unknown as BulkEnqueueFields
}

/** Nothing has to be waited for. */
const HURRIED: Clock = {
  now: () => Date.now(),
  monotonic: () => 0,
  after(_, fn) {
    fn()
    return () => {}
  },
}

await describeOnEvery(({ freshUrl }) => {
  test('an answer that is lost once is asked for again: each job is there once, and was created', async () => {
    const mill = await openMill({ store: losing(await createStore(await freshUrl()), ['heard', 'lost']) })

    const jobs = await mill.enqueueMany(plain, numbers(2_500))

    expect(jobs.map(({ status }) => status)).toEqual(Array(2_500).fill('created'))
    expect(await stored(mill)).toEqual(numbers(2_500))
  })

  test('one that stays lost is told with the ids, and the same call with these makes each job once', async () => {
    const mill = await openMill({ store: losing(await createStore(await freshUrl()), ['heard', 'lost', 'cut']) })

    const { error, fields } = await failureOf(mill.enqueueMany(plain, numbers(2_500)))
    const between = await stored(mill)
    const again = await mill.enqueueMany(plain, numbers(2_500), { ids: fields.ids })

    expect(error).toMatchObject({ code: 'BULK_PARTIAL', cause: { code: 'STORE_UNREACHABLE', kind: 'transient' } })
    expect(fields.done.map(({ index }) => index)).toEqual(numbers(1_000))
    expect(fields.unknown).toEqual(fields.ids.slice(1_000, 2_000).map((id, i) => ({ index: 1_000 + i, id })))
    expect(fields.remaining).toEqual(numbers(500).map((i) => 2_000 + i))
    expect(between).toEqual(numbers(2_000))
    expect(again.map(({ id }) => id)).toEqual(fields.ids)
    expect(again.map(({ status }) => status)).toEqual([...Array(2_000).fill('existing'), ...Array(500).fill('created')])
    expect(await stored(mill)).toEqual(numbers(2_500))
  })

  test('the same call with ids is the same jobs, also when they have ended', async () => {
    const mill = await openMill({ store: await freshUrl() })
    const parent = await mill.enqueue(plain, 0)
    const ids = numbers(20).map(() => newId())
    const first = await mill.enqueueMany(plain, numbers(20), { ids, dependsOn: parent, priority: 'high' })
    const waiting = await mill.enqueueMany(plain, numbers(20), { ids, dependsOn: parent, priority: 'high' })
    await mill.work([plain], { drain: true }).done

    const ended = await mill.enqueueMany(plain, numbers(20), { ids, dependsOn: parent, priority: 'high' })

    expect(first.map(({ id, status, state }) => [id, status, state])).toEqual(
      ids.map((id) => [id, 'created', 'blocked']),
    )
    expect(waiting.map(({ id, status }) => [id, status])).toEqual(ids.map((id) => [id, 'existing']))
    expect(ended.map(({ id, state }) => [id, state])).toEqual(ids.map((id) => [id, 'completed']))
    expect(await mill.count({ state: 'completed' })).toMatchObject({ count: 21 })
  })
})

describe('an error of the first batch', () => {
  test('is the store’s own, and has the ids', async () => {
    const mill = await openMill({ store: losing(await createStore('memory:'), ['lost', 'cut']) })

    const { error, fields } = await failureOf(mill.enqueueMany(plain, [0, 1, 2]))
    await mill.enqueueMany(plain, [0, 1, 2], { ids: fields.ids })

    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE', kind: 'transient', message: 'the connection broke' })
    expect(fields).toMatchObject({ total: 3, done: [], refused: [], remaining: [] })
    expect(fields.unknown.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(await stored(mill)).toEqual([0, 1, 2])
  })

  test('that says no is passed on as it is: nothing was written', async () => {
    const no = new StoreError('schema', 'STORE_READ_ONLY', 'no right to write')
    const store = wrappedStore(await createStore('memory:'), () => ({ insert: () => Promise.reject(no) }))
    const mill = await openMill({ store })

    await expect(mill.enqueueMany(plain, [1])).rejects.toBe(no)
  })

  test('that comes late is passed on at once: who waits for a second time its deadline is told too late', async () => {
    const clock = new ManualClock()
    let calls = 0
    const store = losing(await createStore('memory:', undefined, clock), ['cut'], () => {
      calls++
      clock.advance(1_001)
    })
    const mill = await openMill({ store, clock })

    const { fields } = await failureOf(mill.enqueueMany(plain, [1, 2]))

    expect(calls).toBe(1)
    expect(fields.unknown).toHaveLength(2)
  })
})

test('whatever is lost, what an error says is true, and the call with its ids makes each job once', async () => {
  const fates = fc.array(fc.constantFrom<Fate>('heard', 'lost', 'cut'), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(fates, fc.integer({ min: 1, max: 7 }), fc.boolean(), async (drawn, count, hasIds) => {
      const store = losing(await createStore('memory:'), drawn)
      await using mill = await Millrace.open({ store, codec: { compress: false }, clock: HURRIED })
      // Two of them fill a batch.
      const inputs = numbers(count).map((n) => `${n}${'x'.repeat(450_000)}`)
      const storedPlaces = async () =>
        (await mill.list({ limit: 200 })).jobs.map(({ input }) => Number.parseInt(String(input), 10))
      let ids = hasIds ? numbers(count).map(() => newId()) : undefined

      for (let isDone = false; !isDone; ) {
        const outcome = await mill.enqueueMany(plain, inputs, ids && { ids }).catch(failed)
        isDone = Array.isArray(outcome)
        if (!(outcome instanceof MillraceError)) continue
        const { done, unknown, remaining, ids: told } = fieldsOf(outcome)
        ids = [...told]
        const perhaps = [...done, ...unknown]
        expect([...perhaps.map(({ index }) => index), ...remaining]).toEqual(numbers(count))
        expect(perhaps.map(({ id }) => id)).toEqual(told.slice(0, perhaps.length))
        expect(await storedPlaces()).toEqual(expect.arrayContaining(done.map(({ index }) => index)))
      }

      expect((await storedPlaces()).sort((a, b) => a - b)).toEqual(numbers(count))
    }),
    { numRuns: 60 },
  )
})

describe('ids', () => {
  const id = newId()
  test.each([
    ['no list', 'abc', 'not a list'],
    ['too few', [id], '1 ids'],
    ['no ids', [id, 'abc'], 'ids[1]'],
    ['holes', [id, undefined], 'ids[1]'],
  ])('that are %s are refused before anything is written', async (_, ids, said) => {
    const mill = await openMill({ store: 'memory:' })

    const { error } = await failureOf(mill.enqueueMany(plain, [1, 2], { ids: ids as string[] }))

    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(said) })
    expect(await mill.count()).toMatchObject({ count: 0 })
  })

  test('that name one job twice make it once, as two calls of `enqueue` do', async () => {
    const mill = await openMill({ store: 'memory:' })

    const jobs = await mill.enqueueMany(plain, ['first', 'second'], { ids: [id, id] })

    expect(jobs.map(({ status }) => status)).toEqual(['created', 'existing'])
    expect((await mill.list()).jobs.map(({ input }) => input)).toEqual(['first'])
  })
})
