import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../test/support/temp-store.ts'
import { systemClock } from '../base/clock.ts'
import { Telemetry } from '../base/telemetry.ts'
import type { Store } from '../store/contract/index.ts'
import { createMemoryStore } from '../store/memory/store.ts'
import { NodeHandle } from './node-handle.ts'

const WITHIN = { timeout: 20_000, interval: 10 }
/** A worker process that works on nothing. */
const WORKER = `process.on('message', ({ kind }) => {
  if (kind === 'start') process.send({ kind: 'ready', leaseMs: 30000, graceMs: 5000, pulseMs: 1000, stopWithinMs: 100, idle: { rssBytes: 1e9, pssBytes: null } })
  if (kind === 'stop') process.send({ kind: 'drained' }, () => process.disconnect())
})`
const NEVER = { memoryBytes: Number.POSITIVE_INFINITY, jobs: Number.POSITIVE_INFINITY, ageMs: Number.POSITIVE_INFINITY }

function nodeOn(store: Store, processes = 1): NodeHandle {
  const file = join(tempDir(), 'worker.mjs')
  writeFileSync(file, WORKER)
  const node = new NodeHandle({
    clock: systemClock,
    telemetry: new Telemetry(),
    random: () => 0,
    store,
    program: { file },
    plan: { store: 'memory:', base: '/', entries: [], options: {} },
    processes,
    stallLimitMs: 60_000,
    limits: NEVER,
  })
  onTestFinished(() => node.stop({ now: true, kill: true }))
  node.start()
  return node
}

test('a store of its own that cannot be opened is told of, tried again, and keeps the workers from nothing', async () => {
  const inner = createMemoryStore()
  let tries = 0
  const store = Object.assign(Object.create(inner) as Store, {
    open: async () => {
      if (++tries < 2) throw new Error('nobody answers')
      await inner.open()
    },
    wake: inner.wake,
    cluster: inner.cluster,
    close: () => inner.close(),
  })
  const node = nodeOn(store)
  const failed: string[] = []
  node.on('store.failed', ({ operation }) => failed.push(operation))

  await expect.poll(() => failed, WITHIN).toEqual(['mailbox'])
  expect(node.workers).toMatchObject([{ seat: 1, state: 'working' }])
  await expect.poll(() => tries, WITHIN).toBe(2)
  await inner.cluster.post({ to: node.id, verb: 'stop', by: 'a test', ttlMs: 60_000 })

  await node.done
  expect(node.workers).toEqual([])
})

test('what is asked of a node from afar reaches all of its workers: pause, resume, restart', async () => {
  const store = createMemoryStore()
  await store.open()
  const node = nodeOn(store, 2)
  await expect.poll(() => node.workers.map(({ state }) => state), WITHIN).toEqual(['working', 'working'])
  const before = node.workers.map(({ pid }) => pid)
  const post = (verb: 'pause' | 'resume' | 'restart') =>
    store.cluster.post({ to: node.id, verb, by: 'ann@home', ttlMs: 60_000 })
  const reasons: string[] = []
  node.on('process.replacing', ({ why }) => reasons.push(why))

  await post('pause')
  await expect.poll(() => node.isPaused, WITHIN).toBe(true)
  await post('resume')
  await expect.poll(() => node.isPaused, WITHIN).toBe(false)
  await post('restart')
  await expect.poll(() => node.workers.filter(({ pid }) => before.includes(pid)).length, WITHIN).toBe(0)

  expect(reasons).toEqual(['ann@home asked for it', 'ann@home asked for it'])
  await node.stop()
  await node.done
}, 60_000)
