import { describe, expect, test } from 'vitest'
import { newId } from '../base/id.ts'
import type { InsertResult, NewJob } from '../store/contract/index.ts'
import { Coalescer } from './coalescer.ts'

function someJob(more: Partial<NewJob> = {}): NewJob {
  return {
    id: newId(),
    fresh: true,
    name: 'job',
    version: 1,
    queue: 'q',
    priority: 5,
    payload: new Uint8Array(1),
    ...more,
  }
}

/** A coalescer over a store that answers when it is told to. */
function slow(isRemote: boolean) {
  const batches: { readonly jobs: readonly NewJob[]; readonly answer: () => void }[] = []
  const coalescer = new Coalescer(
    (jobs) =>
      new Promise((resolve) => {
        const results = jobs.map(({ id }): InsertResult => ({ status: 'created', id, state: 'pending' }))
        batches.push({ jobs, answer: () => resolve(results) })
      }),
    isRemote,
  )
  const add = (count: number, more: Partial<NewJob> = {}) =>
    Array.from({ length: count }, () => coalescer.add(someJob(more)))
  return { coalescer, add, batches, sizes: () => batches.map(({ jobs }) => jobs.length) }
}

/** What is sent in the next turn of the event loop is sent. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('enqueues that come together', () => {
  test('go as one batch, and those that come meanwhile as the next', async () => {
    const { add, batches, sizes } = slow(false)
    add(100)
    await turn()
    add(70)
    await turn()
    expect(sizes()).toEqual([100])

    batches[0]?.answer()
    await turn()

    expect(sizes()).toEqual([100, 70])
  })

  test('go as two halves to a server, and no third one beside them', async () => {
    const { add, batches, sizes } = slow(true)
    add(101)
    await turn()
    add(500)
    await turn()
    expect(sizes()).toEqual([51, 50])

    batches[1]?.answer()
    await turn()

    expect(sizes()).toEqual([51, 50, 500])
  })

  test('wait for a server while they are few', async () => {
    const { add, batches, sizes } = slow(true)
    const first = add(1)
    await turn()
    add(31)
    await turn()
    expect(sizes()).toEqual([1])

    batches[0]?.answer()
    expect((await first[0])?.status).toBe('created')
    await turn()
    expect(sizes()).toEqual([1, 31])

    add(32)
    await turn()
    expect(sizes()).toEqual([1, 31, 32])
  })

  test.each([
    { dependsOn: [{ parentId: newId(), policy: 'cancel' as const }] },
    { unique: { scope: 's', key: 'k', onConflict: 'replace' as const } },
    { fresh: false },
  ])('wait for what was called before them, and go whole, when one may be about another job: %o', async (more) => {
    const { add, batches, sizes } = slow(true)
    add(1)
    await turn()
    add(99)
    add(1, more)
    await turn()
    expect(sizes()).toEqual([1])

    batches[0]?.answer()
    await turn()
    expect(sizes()).toEqual([1, 100])

    add(40)
    await turn()
    expect(sizes()).toEqual([1, 100, 40])
  })

  test('are all written when it is drained, and not before', async () => {
    const { coalescer, add, batches } = slow(true)
    const results = add(64)
    let isDrained = false
    const drained = coalescer.drain().then(() => {
      isDrained = true
    })
    await turn()
    batches[0]?.answer()
    await turn()
    expect(isDrained).toBe(false)

    batches[1]?.answer()
    await drained

    expect((await Promise.all(results)).map(({ status }) => status)).toEqual(Array(64).fill('created'))
  })
})
