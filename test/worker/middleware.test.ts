/** What a layer of middleware sees of a handler that fails, and what its own mistakes cost. */
import { expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'

test.each([
  [
    'at once',
    () => {
      throw new Error('boom')
    },
  ],
  ['later', () => Promise.reject(new Error('boom'))],
])('a handler that fails %s rejects what `next` returned, never throws out of it', async (_, run) => {
  const mill = await openMill({ store: 'memory:' })
  const job = defineJob({ name: 'fails', retry: false, run })
  const { id } = await mill.enqueue(job)
  let cleanUps = 0

  await mill.work([job], { drain: true, middleware: [(__, next) => next().finally(() => cleanUps++)] }).done

  expect(cleanUps).toBe(1)
  expect(await mill.get(id)).toMatchObject({ state: 'failed', error: { message: 'boom' } })
})

test('a layer that lets go of the handler and throws fails the attempt, and harms nobody else', async () => {
  const mill = await openMill({ store: 'memory:' })
  const rejections: unknown[] = []
  const listener = (error: unknown) => rejections.push(error)
  process.on('unhandledRejection', listener)
  const job = defineJob({ name: 'fails', retry: false, run: () => Promise.reject(new Error('from the handler')) })
  const { id } = await mill.enqueue(job)
  const careless = (_: unknown, next: () => Promise<unknown>) => {
    void next()
    throw new Error('from the layer')
  }

  await mill.work([job], { drain: true, middleware: [careless] }).done
  process.off('unhandledRejection', listener)

  expect(rejections).toEqual([])
  expect(await mill.get(id)).toMatchObject({ state: 'failed', error: { message: 'from the layer' } })
})
