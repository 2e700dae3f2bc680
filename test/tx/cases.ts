/** What holds for the transaction of every library, on either server. */
import { describe, expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import type { TestServer } from '../support/servers.ts'
import { describeCompleteIn } from './complete-in-cases.ts'
import type { Library, Opened, Tx } from './library.ts'
import { libraryGround } from './library-ground.ts'
import { describeStart } from './start-cases.ts'

const HOSTILE = `? ?? $1 :name "x" 'y' \\ \\' {a,"b"} %s é 😀 \u0000 /* -- */ 2026-01-01T00:00:00.000Z`

const noted = defineJob({ name: 'noted', run: (input: unknown) => input })

/** Declares the cases for one library. `through`: see `libraryGround`. */
export function describeLibrary(library: Library, server: TestServer, through?: (url: string) => string) {
  const openGround = libraryGround(library, server, through)

  describe(`a transaction of ${library.name} on ${server.kind}`, () => {
    test('makes its job visible by its commit, beside its effect', async () => {
      const { mill, library, rows } = await openGround()
      let id = ''
      let seenBefore: unknown

      await library.transaction(async (tx) => {
        await tx.write('effect')
        id = (await mill.enqueue(noted, 1, { tx: tx.handle })).id
        seenBefore = [await mill.get(id), await rows()]
      })

      expect(seenBefore).toEqual([null, []])
      expect(await mill.get(id)).toMatchObject({ state: 'pending' })
      expect(await rows()).toEqual(['effect'])
    })

    describeStart(openGround)

    test('leaves nothing when it is rolled back', async () => {
      const { mill, library, rows } = await openGround()
      const ids: string[] = []

      await rolledBack(library, async (tx) => {
        await tx.write('effect')
        ids.push((await mill.enqueue(noted, 1, { tx: tx.handle, unique: 'once' })).id)
        ids.push(...(await mill.enqueueMany(noted, [2, 3], { tx: tx.handle })).map((job) => job.id))
      })

      expect(await Promise.all(ids.map((id) => mill.get(id)))).toEqual([null, null, null])
      expect(await rows()).toEqual([])
      expect((await mill.enqueue(noted, 1, { unique: 'once' })).status).toBe('created')
    })

    test('carries any text and any bytes unharmed', async () => {
      const { mill, library } = await openGround()
      const large = HOSTILE.repeat(200)
      const tags = ['a?b', '$1', "it's", '\\', '"x"', 'é😀']
      const ids: string[] = []

      await library.transaction(async (tx) => {
        ids.push((await mill.enqueue(noted, HOSTILE, { tx: tx.handle, tags, unique: HOSTILE.replace('\0', '') })).id)
        ids.push((await mill.enqueue(noted, large, { tx: tx.handle, priority: 'high', timeout: '7s' })).id)
      })
      const [small, big] = await Promise.all(ids.map((id) => mill.get(id)))
      mill.work([noted], { poll: '20ms' })

      expect(small).toMatchObject({ state: 'pending', tags })
      expect(big).toMatchObject({ state: 'pending', priority: 10 })
      expect(await Promise.all(ids.map((id) => mill.result(id, { timeout: '20s' })))).toEqual([HOSTILE, large])
    })

    test('takes unique keys, dependencies and 500 jobs', async () => {
      const { mill, library } = await openGround()
      const held = await mill.enqueue(noted, 0, { unique: 'held' })
      let statuses: readonly string[] = []
      let childId = ''
      let many: readonly { readonly id: string }[] = []

      await library.transaction(async (tx) => {
        const options = { tx: tx.handle }
        const first = await mill.enqueue(noted, 1, { ...options, unique: 'mine' })
        const again = await mill.enqueue(noted, 2, { ...options, unique: 'mine' })
        const taken = await mill.enqueue(noted, 3, { ...options, unique: { key: 'held', onConflict: 'reject' } })
        const instead = await mill.enqueue(noted, 4, { ...options, unique: { key: 'held', onConflict: 'replace' } })
        childId = (await mill.enqueue(noted, 5, { ...options, dependsOn: [first, instead], delay: '0s' })).id
        statuses = [first, again, taken, instead].map((job) => job.status)
        many = await mill.enqueueMany(
          noted,
          Array.from({ length: 500 }, (_, i) => i),
          options,
        )
      })
      const blocked = await mill.get(childId)
      mill.work([noted], { poll: '20ms' })

      expect(statuses).toEqual(['created', 'existing', 'rejected', 'replaced'])
      expect(await mill.get(held.id)).toMatchObject({ state: 'cancelled', reason: 'replaced' })
      expect(blocked).toMatchObject({ state: 'blocked', reason: 'parents' })
      expect(await mill.result(childId, { timeout: '20s' })).toBe(5)
      const results = await Promise.all(many.map(({ id }) => mill.result(id, { timeout: '20s' })))
      expect(results).toEqual(Array.from({ length: 500 }, (_, i) => i))
    })

    test('goes on after a job that is refused', async () => {
      const { mill, library, rows } = await openGround()
      const stranger = '0199f2a0-0000-7000-8000-000000000000'
      let refused: unknown
      let id = ''

      await library.transaction(async (tx) => {
        refused = await mill.enqueue(noted, 1, { tx: tx.handle, dependsOn: stranger }).catch((error) => error)
        await tx.write('effect')
        id = (await mill.enqueue(noted, 2, { tx: tx.handle })).id
      })

      expect(refused).toMatchObject({ code: 'PARENT_NOT_FOUND' })
      expect(await mill.get(id)).toMatchObject({ state: 'pending' })
      expect(await rows()).toEqual(['effect'])
    })

    test('undoes with a savepoint what was enqueued behind it, and nothing else', async () => {
      const { mill, library, rows } = await openGround()
      const ids: string[] = []

      await library.transaction(async (tx) => {
        ids.push((await mill.enqueue(noted, 1, { tx: tx.handle })).id)
        await expect(
          tx.nested(async (inner) => {
            await inner.write('undone')
            ids.push((await mill.enqueue(noted, 2, { tx: inner.handle })).id)
            throw new Error('inner')
          }),
        ).rejects.toThrow('inner')
        await tx.write('kept')
      })

      const [kept, undone] = await Promise.all(ids.map((id) => mill.get(id)))
      expect(kept).toMatchObject({ state: 'pending' })
      expect(undone).toBeNull()
      expect(await rows()).toEqual(['kept'])
    })

    test('that is over takes no more jobs', async () => {
      const { mill, library } = await openGround()
      let late: Tx | undefined

      await library.transaction(async (tx) => {
        late = tx
      })

      await expect(mill.enqueue(noted, 1, { tx: late?.handle })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
      expect(await mill.count({})).toMatchObject({ count: 0 })
    })

    describeCompleteIn(openGround)
  })
}

async function rolledBack(library: Opened, fn: (tx: Tx) => Promise<void>): Promise<void> {
  const attempt = library.transaction(async (tx) => {
    await fn(tx)
    throw new Error('rolled back')
  })
  await expect(attempt).rejects.toThrow('rolled back')
}
