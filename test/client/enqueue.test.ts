import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { newId } from '../../src/base/id.ts'
import { ConfigError, defineJob, MillraceError } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

describe('enqueue', () => {
  test('stores what was asked for', async () => {
    const mill = await openMill()

    const job = await mill.enqueue(
      plain,
      { a: 1 },
      { priority: 'urgent', queue: 'q', tags: ['x'], delay: '1h', timeout: '3s' },
    )

    expect(job).toMatchObject({ status: 'created', state: 'scheduled' })
    expect(await mill.get(job.id)).toMatchObject({
      input: { a: 1 },
      priority: 15,
      priorityName: 'urgent',
      queue: 'q',
      tags: ['x'],
      timeoutMs: 3000,
    })
  })

  test('is one job when the same id comes again', async () => {
    const mill = await openMill()
    const id = newId()

    expect(await mill.enqueue(plain, 1, { id })).toMatchObject({ id, status: 'created' })
    expect(await mill.enqueue(plain, 1, { id })).toMatchObject({ id, status: 'existing' })
    expect(await mill.count()).toEqual({ count: 1, capped: false })
  })

  test('coalesces calls in flight, in their order, and one refused row fails only itself', async () => {
    const mill = await openMill()
    const calls = Array.from({ length: 50 }, (_, i) =>
      mill.enqueue(plain, i, i === 20 ? { dependsOn: newId() } : {}).then(
        (job) => job.id,
        (error: unknown) => (error instanceof MillraceError ? error.code : String(error)),
      ),
    )

    const answers = await Promise.all(calls)

    expect(answers[20]).toBe('PARENT_NOT_FOUND')
    const ids = answers.filter((_, i) => i !== 20)
    const { jobs } = await mill.list({ order: 'oldest', limit: 200 })
    expect(jobs.map((job) => job.id)).toEqual(ids)
    expect(jobs.map((job) => job.input)).toEqual(Array.from({ length: 50 }, (_, i) => i).filter((i) => i !== 20))
  })

  test.each([
    ['a cycle', () => cyclic(), 'PAYLOAD_NOT_JSON'],
    ['a BigInt', () => ({ deep: [{ n: 1n }] }), 'PAYLOAD_NOT_JSON'],
    ['a function', () => ({ f: () => {} }), 'PAYLOAD_NOT_JSON'],
    ['more than 1 MiB', () => ['x'.repeat(600_000), 'y'.repeat(600_000)], 'PAYLOAD_TOO_LARGE'],
  ])('refuses %s before anything is written', async (_, make, code) => {
    const mill = await openMill()

    await expect(mill.enqueue(plain, make())).rejects.toMatchObject({ code })
    expect((await mill.count()).count).toBe(0)
  })

  test.each([
    [{ dealy: '5m' }, 'OPTION_UNKNOWN', 'delay'],
    [{ delay: 'soon' }, 'DURATION_INVALID', 'soon'],
    [{ priority: 'hihg' }, 'CONFIG_INVALID', 'high'],
    [{ queue: '' }, 'NAME_INVALID', 'queue'],
    [{ id: 'not-a-uuid' }, 'CONFIG_INVALID', 'not-a-uuid'],
    [{ delay: '1m', runAt: new Date() }, 'CONFIG_INVALID', 'runAt'],
  ])('refuses %j with %s', async (options, code, said) => {
    const mill = await openMill()

    const error = await mill.enqueue(plain, 1, options as never).catch((each: unknown) => each)

    expect(error).toBeInstanceOf(ConfigError)
    expect(error).toMatchObject({ code })
    expect(`${String(error)} ${(error as ConfigError).hint ?? ''}`).toContain(said)
  })

  test('fails with CLOSED after close', async () => {
    const mill = await openMill()
    await mill.close()

    await expect(mill.enqueue(plain, 1)).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('unique', () => {
  test('answers with the holder, refuses or replaces, as asked', async () => {
    const mill = await openMill()
    const first = await mill.enqueue(plain, 1, { unique: 'k' })

    const existing = await mill.enqueue(plain, 2, { unique: 'k' })
    const rejected = await mill.enqueue(plain, 3, { unique: { key: 'k', onConflict: 'reject' } })
    const replaced = await mill.enqueue(plain, 4, { unique: { key: 'k', onConflict: 'replace' } })

    expect(existing).toMatchObject({ id: first.id, status: 'existing' })
    expect(rejected).toMatchObject({ id: first.id, status: 'rejected' })
    expect(replaced).toMatchObject({ status: 'replaced', replacedId: first.id })
    expect(replaced.id).not.toBe(first.id)
    expect(await mill.get(first.id)).toMatchObject({ state: 'cancelled', reason: 'replaced' })
  })

  test('belongs to its kind of job, and may outlive the job for a while', async () => {
    const mill = await openMill()
    const other = defineJob({ name: 'other', run: () => {} })
    const unique = { key: 'k', within: '1h' } as const
    const first = await mill.enqueue(plain, 1, { unique })
    await mill.work([plain], { drain: true }).done

    expect(await mill.enqueue(other, undefined, { unique })).toMatchObject({ status: 'created' })
    expect(await mill.enqueue(plain, 1, { unique })).toMatchObject({
      id: first.id,
      status: 'existing',
      state: 'completed',
    })
  })
})

describe('dependsOn', () => {
  test.each([
    ['cancel', 'cancelled'],
    ['fail', 'failed'],
    ['proceed', 'pending'],
  ] as const)('%s: the child of a failed parent becomes %s', async (onFailure, state) => {
    const mill = await openMill()
    const fails = defineJob({ name: 'fails', retry: false, run: () => Promise.reject(new Error('no')) })
    const parent = await mill.enqueue(fails, undefined)
    const child = await mill.enqueue(plain, 1, { dependsOn: { job: parent, onFailure } })
    expect(child.state).toBe('blocked')

    await mill.work([fails], { drain: true }).done

    expect((await mill.get(child.id))?.state).toBe(state)
  })
})

describe('enqueueMany', () => {
  test('checks every input before the first row is written', async () => {
    const mill = await openMill()

    await expect(mill.enqueueMany(plain, [1, 2n, 3])).rejects.toMatchObject({ code: 'PAYLOAD_NOT_JSON' })
    expect((await mill.count()).count).toBe(0)
  })

  test('writes more than one batch, in order', async () => {
    const mill = await openMill()

    const jobs = await mill.enqueueMany(
      plain,
      Array.from({ length: 2500 }, (_, i) => i),
    )

    expect(jobs.length).toBe(2500)
    expect(await mill.get(jobs[2499]?.id ?? '')).toMatchObject({ input: 2499 })
    expect(await mill.count({}, 1000)).toEqual({ count: 1000, capped: true })
  })
})

describe('a schema', () => {
  const resize = defineJob({
    name: 'resize',
    input: z.object({ width: z.coerce.number().default(800) }),
    output: z.object({ bytes: z.number() }),
    run: (input) => ({ bytes: input.width * 2 }),
  })

  test('is checked at enqueue, the input stored as it was given, its output given to the handler', async () => {
    const mill = await openMill()
    await expect(mill.enqueue(resize, { width: 'wide' } as never)).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' })
    const job = await mill.enqueue(resize, { width: '7' })

    await mill.work([resize], { drain: true }).done

    expect(await mill.get(job.id)).toMatchObject({ input: { width: '7' }, result: { bytes: 14 } })
    expect(await job.result()).toEqual({ bytes: 14 })
  })

  test('that is asynchronous cannot be used inside a transaction', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}` })
    const slow = defineJob({ name: 'slow', input: z.string().refine(async () => true) })
    const db = new DatabaseSync(path)
    db.exec('BEGIN')

    const call = async () => mill.enqueue(slow, 'a', { tx: db })

    await expect(call()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    db.close()
  })
})

describe('tx', () => {
  test('commits and rolls back with the transaction', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}` })
    const db = new DatabaseSync(path)
    db.exec('BEGIN IMMEDIATE')
    const undone = await mill.enqueue(plain, 1, { tx: db })
    db.exec('ROLLBACK')
    db.exec('BEGIN IMMEDIATE')
    const kept = await mill.enqueue(plain, 2, { tx: db })
    const before = await mill.get(kept.id)
    db.exec('COMMIT')
    db.close()

    expect(await mill.get(undone.id)).toBeNull()
    expect(before).toBeNull()
    expect(await mill.get(kept.id)).toMatchObject({ state: 'pending', input: 2 })
  })

  test('refuses what is no transaction on the same file', async () => {
    const mill = await openMill()
    const db = new DatabaseSync(':memory:')
    db.exec('BEGIN')

    for (const tx of [db, {}, 'tx']) {
      await expect((async () => mill.enqueue(plain, 1, { tx }))()).rejects.toBeInstanceOf(MillraceError)
    }
    db.close()
  })
})

function cyclic(): unknown {
  const value: Record<string, unknown> = {}
  value.self = value
  return value
}
