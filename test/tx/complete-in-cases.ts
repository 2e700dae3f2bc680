/** What `job.completeIn` means in the transaction of a library. */
import { expect, test } from 'vitest'
import { defineJob, type JobContext } from '../../src/index.ts'
import { lose } from './complete-cases.ts'
import type { Opened } from './library.ts'
import type { OpenLibraryGround } from './library-ground.ts'

const WORK = { poll: '20ms' } as const
/** Beyond what a row holds, and what no library may change on its way. */
const RESULT = `? $1 :name \\' "é 😀 \u0000`.repeat(400)

/** Declares the cases for a library on one kind of server. */
export function describeCompleteIn(openGround: OpenLibraryGround) {
  test('commits an effect and the completion of its job together', async () => {
    const { mill, library, rows } = await openGround()
    const seenBefore: unknown[] = []
    const job = defineJob({
      name: 'effect',
      run: async (_: undefined, context): Promise<string> => {
        context.log('half way')
        await library.transaction(async (tx) => {
          await tx.write(context.id)
          await context.completeIn(tx.handle, RESULT)
          seenBefore.push((await mill.get(context.id))?.state, await rows())
        })
        throw new Error('too late to matter')
      },
    })
    const child = defineJob({ name: 'child', run: () => 'ran' })
    const parent = await mill.enqueue(job, undefined, { unique: 'key' })
    const after = await mill.enqueue(child, undefined, { dependsOn: parent })
    mill.work([job, child], WORK)

    expect(await after.result({ timeout: '20s' })).toBe('ran')
    expect(seenBefore).toEqual(['processing', []])
    expect(await parent.result({ timeout: '20s' })).toBe(RESULT)
    expect(await mill.get(parent.id)).toMatchObject({ state: 'completed', attempts: 1, losses: 0 })
    expect((await mill.logs(parent.id)).map(({ message }) => message)).toEqual(['half way'])
    expect(await rows()).toEqual([parent.id])
    // Not to be run: the library is closed by then.
    expect((await mill.enqueue(job, undefined, { unique: 'key', delay: '1h' })).status).toBe('created')
  })

  test('runs a job again whose completion was rolled back, and keeps nothing of its effect', async () => {
    const { mill, library, rows } = await openGround()
    const job = defineJob({
      name: 'effect',
      retry: { attempts: 2, delay: 0, jitter: 'none' },
      run: (_: undefined, context): Promise<void> =>
        library.transaction(async (tx) => {
          await tx.write(`${context.id} ${context.attempt}`)
          await context.completeIn(tx.handle, undefined)
          if (context.attempt === 1) throw new Error('rolled back')
        }),
    })
    const queued = await mill.enqueue(job)
    mill.work([job], WORK)

    await queued.result({ timeout: '20s' })

    expect(await mill.get(queued.id)).toMatchObject({ state: 'completed', attempts: 2, losses: 0 })
    expect(await rows()).toEqual([`${queued.id} 2`])
  })

  test('undoes a completion with its savepoint, and lets the handler complete the job by its end', async () => {
    const { mill, library, rows } = await openGround()
    const job = defineJob({
      name: 'effect',
      run: async (_: undefined, context): Promise<string> => {
        await library.transaction(async (tx) => {
          await tx.write('kept')
          const inner = tx.nested(async (inner) => {
            await inner.write('undone')
            await context.completeIn(inner.handle, 'never')
            throw new Error('inner')
          })
          await expect(inner).rejects.toThrow('inner')
        })
        return 'returned'
      },
    })
    const queued = await mill.enqueue(job)
    mill.work([job], WORK)

    expect(await queued.result({ timeout: '20s' })).toBe('returned')
    expect(await mill.get(queued.id)).toMatchObject({ attempts: 1, losses: 0 })
    expect(await rows()).toEqual(['kept'])
  })

  test('refuses the completion of a lost lease, so that its effect is rolled back', async () => {
    const { mill, library, rows } = await openGround()
    const codes: unknown[] = []
    const job = defineJob({
      name: 'effect',
      run: async (_: undefined, context): Promise<void> => {
        const isFirst = (await mill.get(context.id))?.losses === 0
        if (isFirst) await lose(mill, context.id)
        await completing(library, context).catch((error) => Promise.reject(codes.push(error.code) && error))
      },
    })
    const queued = await mill.enqueue(job)
    // No heartbeat comes in time to extend the lease that is to be lost.
    mill.work([job], WORK)

    await queued.result({ timeout: '20s' })

    await expect.poll(() => codes).toEqual(['LEASE_LOST'])
    expect(await rows()).toEqual([queued.id])
  })
}

function completing(library: Opened, context: JobContext<never>): Promise<void> {
  return library.transaction(async (tx) => {
    await tx.write(context.id)
    await context.completeIn(tx.handle, undefined as never)
  })
}
