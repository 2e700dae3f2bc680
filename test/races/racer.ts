/**
 * One process of races on stores that others use too, one race after the other. A line with a task as JSON opens its store and is
 * answered with `ready` and its number; the line `go` begins; `done`, the number and what it saw is the end. A line `stop` ends a
 * role that goes on until it is told.
 */
import { createInterface } from 'node:readline'
import { newId } from '../../src/base/id.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { EdgePolicy, NewJob, Store } from '../../src/store/contract/index.ts'
import { exitWithParent } from '../support/parent.ts'
import { generator } from '../support/random.ts'
import type { Parts, Task } from './roles.ts'

exitWithParent()
let isStopped = false

const ROLES: { readonly [R in keyof Parts]: (part: Parts[R]['part'], store: Store) => Promise<Parts[R]['saw']> } = {
  migrate: async (_, store) => ({ applied: await store.migrate(), version: (await store.schemaVersion()).current }),

  async adopt({ parentIds, seed }, { jobs }) {
    const random = generator(seed)
    const children: Parts['adopt']['saw']['children'][number][] = []
    for (const [i, parentId] of shuffled(parentIds, random).entries()) {
      const policy: EdgePolicy = (['cancel', 'proceed', 'fail'] as const)[i % 3] ?? 'cancel'
      const [result] = await jobs.insert([newJob({ queue: 'children', dependsOn: [{ parentId, policy }] })])
      if (result !== undefined) children.push({ id: result.id, status: result.status, born: stateOf(result) })
    }
    return { children }
  },

  async end({ how, parentIds, seed }, { jobs }) {
    const random = generator(seed)
    for (const [i, id] of parentIds.entries()) {
      if (how === 'cancel') await jobs.cancel([id])
      else if (how === 'expire') await jobs.expire(1)
      else if (how === 'reclaim') await jobs.reclaim(1)
      else if (how === 'prune') await jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 1)
      else {
        const lease = { id, epoch: 1, runMs: 1 }
        const failed = { ...lease, to: 'failed', reason: 'exhausted', error: null } as const
        const completed = { ...lease, to: 'completed', result: null } as const
        await jobs.exchange({ workerId: 'w', settle: [i % 2 === 0 ? completed : failed] })
      }
      // Ending is quicker than inserting: with rests, about half of the children find their parent alive.
      if (random() < 0.5) await pause()
    }
    // What the other ender held locked at that moment was passed over.
    while (how === 'reclaim' && (await jobs.count({ ids: parentIds, states: ['processing'] }, 1)).count > 0) {
      await jobs.reclaim(1)
      await pause()
    }
    return {}
  },

  async unique({ keys }, { jobs }) {
    const answers: [string, string][] = []
    for (const key of keys) {
      const [result] = await jobs.insert([newJob({ unique: { scope: 's', key, onConflict: 'existing' } })])
      if (result !== undefined) answers.push([result.status, result.id])
    }
    return { answers }
  },

  async produce({ count, seed }, { jobs }) {
    const random = generator(seed)
    const created: string[] = []
    while (created.length < count) {
      const parents = Array.from({ length: Math.floor(random() * 3) }, () => {
        return created.at(-1 - Math.floor(random() * Math.min(created.length, 20)))
      }).filter((id) => id !== undefined)
      const policy = (['cancel', 'proceed', 'fail'] as const)[Math.floor(random() * 3)] ?? 'cancel'
      const unique = { scope: 's', key: `k${Math.floor(random() * 5)}`, onConflict: 'replace' } as const
      const job = newJob({
        priority: Math.floor(random() * 10),
        dependsOn: parents.map((parentId) => ({ parentId, policy })),
        ...(random() < 0.1 ? { unique } : {}),
        ...(random() < 0.1 ? { expiresInMs: 20 } : {}),
        ...(random() < 0.1 ? { delayMs: 20 } : {}),
      })
      const [result] = await jobs.insert([job])
      if (result?.status === 'created' || result?.status === 'replaced') created.push(job.id)
    }
    return { created }
  },

  async work({ workerId, seed }, { jobs }) {
    const random = generator(seed)
    const completed: string[] = []
    while (!isStopped) {
      const claim = { workerId, queues: 'all' as const, names: ['job'], limit: 5, leaseMs: 50 }
      const { claimed } = await jobs.exchange({ workerId, settle: [], claim })
      // One in ten leases is left to run out, and every settlement comes a turn of the loop later.
      await pause()
      const kept = claimed.filter(() => random() < 0.9)
      for (const lease of kept.slice(0, 1)) await jobs.saveCheckpoint(workerId, lease, Buffer.from('half way'))
      const settle = kept.map(({ id, epoch }) => {
        const fails = random() < 0.2
        return fails
          ? ({ id, epoch, runMs: 1, to: 'retrying', delayMs: 5, error: null } as const)
          : ({ id, epoch, runMs: 1, to: 'completed', result: null } as const)
      })
      const { settled } = await jobs.exchange({ workerId, settle })
      settle.forEach(({ id, to }, i) => {
        if (to === 'completed' && settled[i] === 'settled') completed.push(id)
      })
    }
    return { completed }
  },

  async tidy({ seed }, { jobs }) {
    const random = generator(seed)
    let cancelled = 0
    while (!isStopped) {
      await jobs.promote(50)
      await jobs.expire(50)
      await jobs.reclaim(50)
      const { rows } = await jobs.list({ filter: { queues: ['q'] }, limit: 50 })
      const victim = rows[Math.floor(random() * rows.length)]
      if (victim !== undefined && random() < 0.3) {
        const [answer] = await jobs.cancel([victim.id])
        if (answer === 'cancelled') cancelled++
      }
      // It may live: then it has lost what it held.
      if (victim?.workerId != null && random() < 0.3) await jobs.recover(victim.workerId, [victim], 5)
      await jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 10)
      await pause()
    }
    return { cancelled }
  },
}

let begin = Promise.withResolvers<void>()
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'go') begin.resolve()
  else if (line === 'stop') isStopped = true
  // Only roles.ts writes to this process.
  else void take(JSON.parse(line) as Task)
})

async function take({ serial, url, role, part }: Task): Promise<void> {
  const store = await createStore(url)
  await store.open()
  isStopped = false
  begin = Promise.withResolvers()
  console.log(`ready ${serial}`)
  await begin.promise
  // The test that asks for it gives each role its own part.
  const saw = await ROLES[role](part as never, store)
  await store.close()
  console.log(`done ${serial} ${JSON.stringify(saw)}`)
}

function newJob(parts: Partial<NewJob>): NewJob {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}'), ...parts }
}

function stateOf(result: { readonly status: string }): string {
  return 'state' in result ? String(result.state) : ''
}

function shuffled<T>(list: readonly T[], random: () => number): readonly T[] {
  return list
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}

/** Others get their turn. */
function pause(): Promise<void> {
  return new Promise((go) => setTimeout(go, 1))
}
