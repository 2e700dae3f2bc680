/**
 * Someone who can write to the database but has no key, against a worker (RELIABILITY F-30): whatever is done to an envelope,
 * the handler is not called, of five attempts none is made after the one that found it out, and the queue goes on.
 */
import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createKeyRing, defineJob, type KeyRing, type Millrace } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tally } from '../support/tally.ts'
import { tempStorePath } from '../support/temp-store.ts'

interface Scene {
  readonly mill: Millrace
  readonly db: DatabaseSync
  readonly keys: KeyRing
  readonly inputs: unknown[]
  payloadOf(id: string): Buffer
  write(id: string, payload: Uint8Array): void
}

const SEALS = { requireEncryption: true, compress: false } as const

async function scene(): Promise<Scene> {
  const path = tempStorePath()
  const keys = createKeyRing({ active: 'k1', keys: { k1: randomBytes(32) } })
  const mill = await openMill({ store: `sqlite:${path}?durability=normal`, codec: { keys, ...SEALS } })
  const db = new DatabaseSync(path)
  onTestFinished(() => db.close())
  return {
    mill,
    db,
    keys,
    inputs: [],
    payloadOf: (id) =>
      Buffer.from(db.prepare('SELECT payload FROM millrace_job WHERE id = ?').get(id)?.payload as Uint8Array),
    write: (id, payload) => db.prepare('UPDATE millrace_job SET payload = ? WHERE id = ?').run(payload, id),
  }
}

/** A job that has retries to burn. */
const keeping = (inputs: unknown[]) =>
  defineJob({ name: 'keeps', retry: { attempts: 5, delay: 0 }, run: (input: unknown) => void inputs.push(input) })

/** All that anybody sees of how a job failed. */
async function faceOf(mill: Millrace, id: string): Promise<string> {
  const job = await mill.get(id)
  return JSON.stringify([
    job?.state,
    job?.reason,
    job?.attempts,
    job?.losses,
    job?.crashes,
    job?.error?.name,
    job?.error?.message,
    job?.error?.code,
  ])
}

describe('C11, C12 an envelope that was changed', () => {
  test('by any single bit, cut anywhere or put elsewhere fails its job as unreadable: handler not called, no retry burnt, one face', async () => {
    const { mill, payloadOf, write, inputs, db } = await scene()
    const keeps = keeping(inputs)
    const [model, other] = await mill.enqueueMany(keeps, [{ a: 1 }, { a: 2 }])
    const sealed = payloadOf(model?.id ?? '')
    const kid = { from: 5, to: 8 }
    const changes: Buffer[] = []
    // In the key's name a flip names a key that is not there: that job waits for it, see below.
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      if (bit >> 3 >= kid.from && bit >> 3 < kid.to) continue
      const copy = Buffer.from(sealed)
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      changes.push(copy)
    }
    for (let length = 0; length < sealed.length; length++) changes.push(sealed.subarray(0, length))
    changes.push(payloadOf(other?.id ?? ''), sealed, Buffer.concat([sealed, Buffer.from('x')]), Buffer.from('{"a":1}'))
    const jobs = await mill.enqueueMany(
      keeps,
      changes.map(() => ({ a: 1 })),
    )
    db.exec('BEGIN')
    // `sealed` itself, put into another job, is a swap.
    for (const [i, { id }] of jobs.entries()) write(id, changes[i] ?? Buffer.alloc(0))
    db.exec('COMMIT')

    await mill.work([keeps], { drain: true, concurrency: 50 }).done

    expect(inputs).toHaveLength(2)
    const faces = new Set<string>()
    for (const { id } of jobs) faces.add(await faceOf(mill, id))
    expect([...faces]).toEqual([
      JSON.stringify([
        'failed',
        'unreadable',
        1,
        0,
        0,
        'PayloadError',
        'stored bytes could not be opened: they were changed, moved or damaged',
        'PAYLOAD_UNREADABLE',
      ]),
    ])
    tally({ jobs: jobs.length, 'envelopes changed': changes.length })
    expect(changes.length).toBeGreaterThan(450)
  }, 60_000)

  test('C16: a row in the clear that was slipped in is not run when encryption is required', async () => {
    const { mill, write, inputs } = await scene()
    const keeps = keeping(inputs)
    const job = await mill.enqueue(keeps, { mine: true })
    write(job.id, Buffer.from('MR\x01\x00\x00\x00{"theirs":true}', 'latin1'))

    await mill.work([keeps], { drain: true }).done

    expect(inputs).toEqual([])
    expect(await mill.get(job.id)).toMatchObject({ state: 'failed', reason: 'unreadable', attempts: 1 })
  })

  test('C6: a payload under another job name does not run there', async () => {
    const { mill, db, inputs } = await scene()
    const keeps = keeping(inputs)
    const deletes = defineJob({ name: 'delete-account', run: (input: unknown) => void inputs.push(input) })
    const job = await mill.enqueue(keeps, { account: 7 })
    db.prepare('UPDATE millrace_job SET name = ? WHERE id = ?').run('delete-account', job.id)

    await mill.work([keeps, deletes], { drain: true }).done

    expect(inputs).toEqual([])
    expect(await mill.get(job.id)).toMatchObject({ state: 'failed', reason: 'unreadable', attempts: 1 })
  })

  test('C17: an earlier result of the same job does not open in place of the later one; an earlier payload does, as documented', async () => {
    const { mill, db, inputs, payloadOf, write } = await scene()
    const counts = defineJob({ name: 'counts', run: (input: { n: number }) => ({ run: inputs.push(input.n) }) })
    const job = await mill.enqueue(counts, { n: 1 })
    const first = payloadOf(job.id)
    await mill.work([counts], { drain: true }).done
    const result = () =>
      db.prepare('SELECT result FROM millrace_archive WHERE id = ?').get(job.id)?.result as Uint8Array
    const earlier = Buffer.from(result())
    await mill.retry(job.id)
    write(job.id, first)
    await mill.work([counts], { drain: true }).done
    expect(await job.result()).toEqual({ run: 2 })

    db.prepare('UPDATE millrace_archive SET result = ? WHERE id = ?').run(earlier, job.id)

    await expect(job.result()).rejects.toMatchObject({ code: 'PAYLOAD_UNREADABLE' })
    expect(await mill.get(job.id)).toMatchObject({ isUnreadable: true })
    expect(inputs).toEqual([1, 1])
  })

  test('C12: under a key that is not there its job is blocked, reason key, and runs when the key appears; others go on', async () => {
    const { mill, db, inputs, keys } = await scene()
    const later = randomBytes(32)
    const elsewhere = await openMill({
      store: `sqlite:${db.location()}`,
      codec: { keys: createKeyRing({ active: 'k2', keys: { k2: later } }), ...SEALS },
    })
    const keeps = keeping(inputs)
    const job = await elsewhere.enqueue(keeps, 'sealed with k2')
    const own = await mill.enqueue(keeps, 'own')
    const worker = mill.work([keeps])
    await own.result({ timeout: '10s' })

    await expect.poll(async () => (await mill.get(job.id))?.state, { timeout: 10_000 }).toBe('blocked')
    expect(await mill.get(job.id)).toMatchObject({ reason: 'key', attempts: 0, losses: 0 })
    expect(await mill.why(job.id)).toContainEqual(expect.objectContaining({ code: 'key' }))
    expect(inputs).toEqual(['own'])

    keys.add('k2', later)
    await elsewhere.result(job.id, { timeout: '10s' })
    expect(inputs).toEqual(['own', 'sealed with k2'])
    expect(await mill.get(job.id)).toMatchObject({ state: 'completed', attempts: 1 })
    await worker.stop()
  })
})
