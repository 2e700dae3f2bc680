/** `mill.rekey()` on stores with jobs in every state, stopped and killed in its middle, beside a worker. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { createCodec } from '../../src/codec/codec.ts'
import { createKeyRing, Discard, defineJob, type Millrace } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

const SECRET = 'SECRET4111SECRET'
const tells = defineJob({
  name: 'tells',
  retry: { attempts: 2, delay: 0 },
  run: (input: { ends: string }, job) => {
    job.log(`log ${SECRET}`)
    job.progress(0.5, `note ${SECRET}`)
    if (input.ends === 'discarded') throw new Discard(`error ${SECRET}`)
    if (input.ends === 'failed') throw new Error(`error ${SECRET}`)
    return { text: `result ${SECRET}`, filling: 'x'.repeat(5000) }
  },
})
const waits = defineJob({ name: 'waits', run: (input: unknown) => input })

function ring() {
  const [k1, k2] = [randomBytes(32), randomBytes(32)]
  return {
    k1,
    k2,
    old: () => createKeyRing({ active: 'k1', keys: { k1 } }),
    both: () => createKeyRing({ active: 'k2', keys: { k1, k2 } }),
    fresh: () => createKeyRing({ active: 'k2', keys: { k2 } }),
  }
}

/** Jobs that have ended in every way, and `waiting` that wait. */
async function fill(mill: Millrace, waiting: number): Promise<void> {
  for (const ends of ['completed', 'discarded', 'failed']) await mill.enqueue(tells, { ends })
  await mill.work([tells], { drain: true }).done
  await mill.enqueueMany(
    waits,
    Array.from({ length: waiting }, (_, i) => ({ i, text: SECRET })),
  )
}

/** The names of the keys that any sealed column of the file is under. */
function kidsIn(path: string): readonly string[] {
  const db = new DatabaseSync(path)
  const columns = [
    ['millrace_job', ['payload', 'error', 'progress_note']],
    ['millrace_archive', ['payload', 'result', 'error', 'progress_note']],
    ['millrace_bytes', ['data']],
    ['millrace_attempt', ['error']],
    ['millrace_log', ['message']],
  ] as const
  const kids = new Set<string>()
  for (const [table, names] of columns) {
    for (const name of names) {
      for (const row of db.prepare(`SELECT ${name} AS bytes FROM ${table} WHERE ${name} IS NOT NULL`).all()) {
        const bytes = Buffer.from(row.bytes as Uint8Array)
        kids.add(bytes[3] === 0 ? 'in the clear' : bytes.toString('latin1', 6, 6 + (bytes[5] ?? 0)))
      }
    }
  }
  db.close()
  return [...kids].sort()
}

describe('C9 rekeying', () => {
  test('seals every field of every job under the new key, after which the old one is not needed', async () => {
    const { old, both, fresh } = ring()
    const path = tempStorePath()
    const before = await openMill({ store: `sqlite:${path}`, codec: { keys: old() } })
    await fill(before, 250)
    const contents = await everything(before)
    const mill = await openMill({ store: `sqlite:${path}`, codec: { keys: both() } })
    const told: number[] = []

    const report = await mill.rekey({ onProgress: ({ visited }) => told.push(visited) })

    expect(report).toMatchObject({
      kid: 'k2',
      rewritten: 253,
      unreadable: 0,
      missingKeys: {},
      running: 0,
      isComplete: true,
    })
    expect(told.length).toBeGreaterThan(2)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
    expect(kidsIn(path)).toEqual(['k2'])
    const after = await openMill({ store: `sqlite:${path}`, codec: { keys: fresh(), requireEncryption: true } })
    expect(await everything(after)).toEqual(contents)
    expect(await mill.rekey()).toMatchObject({ rewritten: 0, isComplete: true })
  })

  test('seals what was stored in the clear, so that it can be required', async () => {
    const { fresh } = ring()
    const path = tempStorePath()
    await fill(await openMill({ store: `sqlite:${path}` }), 5)
    const mill = await openMill({ store: `sqlite:${path}`, codec: { keys: fresh() } })
    expect(kidsIn(path)).toEqual(['in the clear'])

    expect(await mill.rekey()).toMatchObject({ rewritten: 8, isComplete: true })
    expect(kidsIn(path)).toEqual(['k2'])
  })

  test('seals what an attempt left for the next one, once it does not run', async () => {
    const { old, both, fresh } = ring()
    const path = tempStorePath()
    const before = await openMill({ store: `sqlite:${path}`, codec: { keys: old() } })
    const { id } = await before.enqueue(waits, SECRET)
    const claim = { workerId: 'w', queues: 'all', names: ['waits'], limit: 1, leaseMs: 60_000 } as const
    const { jobs } = before.store
    await jobs.exchange({ workerId: 'w', settle: [], claim })
    const lease = { id, epoch: 1 }
    const place = { jobId: id, jobName: 'waits', field: 'checkpoint' } as const
    await jobs.saveCheckpoint('w', lease, await createCodec({ keys: old() }).encode(place, SECRET))
    const mill = await openMill({ store: `sqlite:${path}`, codec: { keys: both() } })
    expect(await mill.rekey()).toMatchObject({ running: 1, isComplete: false })
    await jobs.exchange({ workerId: 'w', settle: [{ ...lease, runMs: 1, to: 'pending' }] })

    expect(await mill.rekey()).toMatchObject({ rewritten: 1, running: 0, isComplete: true })

    expect(kidsIn(path)).toEqual(['k2'])
    const kept = (await mill.store.jobs.checkpoint(id)) ?? new Uint8Array(0)
    expect(await createCodec({ keys: fresh() }).decode(place, kept)).toBe(SECRET)
  })

  test('goes on where it was stopped', async () => {
    const { old, both } = ring()
    const path = tempStorePath()
    const before = await openMill({ store: `sqlite:${path}`, codec: { keys: old() } })
    await before.enqueueMany(
      waits,
      Array.from({ length: 500 }, (_, i) => i),
    )
    const mill = await openMill({ store: `sqlite:${path}`, codec: { keys: both() } })
    const stop = new AbortController()

    const first = await mill.rekey({ signal: stop.signal, onProgress: () => stop.abort() })
    const visited: number[] = []
    const second = await mill.rekey({ onProgress: (progress) => visited.push(progress.visited) })

    expect(first).toMatchObject({ visited: 100, rewritten: 100, isComplete: false })
    // 400 in the rest of the first pass, then one pass over all that finds nothing.
    expect(second).toMatchObject({ visited: 900, rewritten: 400, isComplete: true })
    expect(kidsIn(path)).toEqual(['k2'])
  })

  test('names keys it lacks and what cannot be opened, leaves them, and is not complete', async () => {
    const { k2, old } = ring()
    const path = tempStorePath()
    const before = await openMill({ store: `sqlite:${path}`, codec: { keys: old() } })
    const [kept, harmed] = [await before.enqueue(waits, 1), await before.enqueue(waits, 2)]
    const db = new DatabaseSync(path)
    const bytes = Buffer.from(
      db.prepare('SELECT payload FROM millrace_job WHERE id = ?').get(harmed.id)?.payload as Uint8Array,
    )
    bytes[40] = (bytes[40] ?? 0) ^ 1
    db.prepare('UPDATE millrace_job SET payload = ? WHERE id = ?').run(bytes, harmed.id)
    db.close()
    const keys = createKeyRing({ active: 'k2', keys: { k2 } })
    const mill = await openMill({ store: `sqlite:${path}`, codec: { keys } })

    expect(await mill.rekey()).toMatchObject({ rewritten: 0, missingKeys: { k1: 2 }, isComplete: false })
    expect(await before.get(kept.id)).toMatchObject({ input: 1 })
  })

  test('passes over a running job, counts it, and takes it when it has ended', async () => {
    const { old, both } = ring()
    const path = tempStorePath()
    const before = await openMill({ store: `sqlite:${path}`, codec: { keys: old() } })
    const gate = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const long = defineJob({
      name: 'long',
      run: async (_: string) => {
        started.resolve()
        await gate.promise
        return 'result'
      },
    })
    const job = await before.enqueue(long, 'input')
    before.work([long])
    await started.promise
    const mill = await openMill({ store: `sqlite:${path}`, codec: { keys: both() } })

    expect(await mill.rekey()).toMatchObject({ rewritten: 0, running: 1, isComplete: false })
    gate.resolve()
    expect(await job.result({ timeout: '10s' })).toBe('result')
    expect(await mill.rekey()).toMatchObject({ rewritten: 1, running: 0, isComplete: true })
    expect(await mill.get(job.id)).toMatchObject({ input: 'input', result: 'result' })
    expect(kidsIn(path)).toEqual(['k2'])
  })

  test('C7: retry, priority and queue change no envelope and need no key', async () => {
    const { old } = ring()
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}`, codec: { keys: old() } })
    await fill(mill, 1)
    const keyless = await openMill({ store: `sqlite:${path}` })
    const payloads = () => {
      const db = new DatabaseSync(path)
      const rows = db
        .prepare('SELECT id, payload FROM millrace_job UNION SELECT id, payload FROM millrace_archive')
        .all()
      db.close()
      return new Map(rows.map((row) => [row.id, Buffer.from(row.payload as Uint8Array).toString('base64')]))
    }
    const before = payloads()
    const ids = [...before.keys()].map(String)

    await keyless.retry(ids)
    await keyless.move(ids, 'elsewhere')
    await keyless.reprioritise(ids, 'urgent')

    expect(payloads()).toEqual(before)
    expect((await mill.list({ queue: 'elsewhere' })).jobs.map(({ isUnreadable }) => isUnreadable)).toEqual(
      ids.map(() => false),
    )
  })

  test('F-31: killed again and again in its middle, it loses nothing and comes to its end', async () => {
    const { k1, k2, old, fresh } = ring()
    const path = tempStorePath()
    const before = await openMill({ store: `sqlite:${path}`, codec: { keys: old() } })
    const count = 1200
    await before.enqueueMany(
      waits,
      Array.from({ length: count }, (_, i) => ({ i })),
    )
    const script = `import { createKeyRing, Millrace } from ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)}
const key = (text) => Buffer.from(text, 'base64')
const keys = createKeyRing({ active: 'k2', keys: { k1: key('${k1.toString('base64')}'), k2: key('${k2.toString('base64')}') } })
const mill = await Millrace.open({ store: ${JSON.stringify(`sqlite:${path}`)}, codec: { keys } })
const { isComplete } = await mill.rekey({ onProgress: ({ rewritten }) => console.log(rewritten) })
console.log(isComplete)
await mill.close()`
    let kills = 0
    for (let isOver = false; !isOver; ) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      child.stdout.on('data', (chunk) => {
        if (kills < 4) child.kill('SIGKILL')
        if (String(chunk).includes('true')) isOver = true
      })
      await new Promise((done) => child.on('close', done))
      if (!isOver) kills++
      expect(kills).toBeLessThan(20)
    }

    expect(kills).toBeGreaterThanOrEqual(4)
    expect(kidsIn(path)).toEqual(['k2'])
    const after = await openMill({ store: `sqlite:${path}`, codec: { keys: fresh() } })
    expect(await after.count({}, 5000)).toMatchObject({ count })
    const page = await after.list({ order: 'oldest', limit: 200 })
    expect(page.jobs.map(({ input }) => input)).toEqual(Array.from({ length: 200 }, (_, i) => ({ i })))
  }, 60_000)

  test('without keys is refused', async () => {
    await expect((await openMill()).rekey()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

async function everything(mill: Millrace): Promise<unknown> {
  const { jobs } = await mill.list({ limit: 200, order: 'oldest' })
  const logs = await Promise.all(jobs.slice(0, 5).map(({ id }) => mill.logs(id)))
  return jobs.map(({ id, input, result, error, progressNote, history, isUnreadable }, i) => ({
    id,
    input,
    result,
    error,
    progressNote,
    history,
    isUnreadable,
    logs: logs[i],
  }))
}
