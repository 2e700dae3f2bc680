/** Worker processes that die: what they had comes back at once, and only what killed them is held against it. */
import { describe, expect, test } from 'vitest'
import { describeOnEvery } from '../support/every-store.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { until, workNode } from '../support/node-run.ts'

await describeOnEvery(({ kind: store, freshUrl }) => {
  describe('a worker process that dies', () => {
    test('is killed: its jobs run again within two seconds, and nobody loses an attempt', async () => {
      const app = await nodeApp('', await freshUrl())
      const names = ['a', 'b', 'c', 'd']
      const ids = await Promise.all(names.map(async (n) => (await app.mill.enqueue(JOBS.slow, { n, ms: 4_000 })).id))
      const node = workNode(app, '--processes 2 --concurrency 8')
      await node.ready(2)
      await until(() => app.ran().length).toBe(4)
      const victim = app.ran()[0]?.pid ?? 0
      const hit = app.ran().flatMap(({ pid, n }) => (pid === victim ? [n] : []))
      const killedAt = performance.timeOrigin + performance.now()

      process.kill(victim, 'SIGKILL')

      const begun = () => app.ran().filter(({ sign }) => sign === '+')
      await until(() => begun().length).toBe(4 + hit.length)
      const again = begun().slice(4)
      expect(again.map(({ n }) => n).toSorted()).toEqual(hit.toSorted())
      for (const { at } of again) expect(at - killedAt).toBeLessThan(2_000)
      await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(4)
      for (const id of ids) expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1 })
      expect(node.events('process.ended')).toMatchObject([{ pid: victim, signal: 'SIGKILL' }])
      await node.ready(2)
    }, 60_000)

    // How it dies makes no difference to a store.
    test.each(store === 'sqlite' ? (['exit', 'segv'] as const) : (['exit'] as const))(
      'dies of %s twice: that job is then isolated, quarantined at its third crash without an attempt counted, and the healthy beside it are done',
      async (kind) => {
        const app = await nodeApp('', await freshUrl())
        const healthy = await app.mill.enqueueMany(
          JOBS.quick,
          Array.from({ length: 40 }, (_, n) => ({ n })),
        )
        const poison = await app.mill.enqueue(JOBS[kind], { n: 'poison' }, { priority: 'high' })
        const node = workNode(app, '--processes 2 --concurrency 4')

        await until(async () => (await app.mill.get(poison.id))?.state).toBe('failed')
        await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(40)

        expect(await app.mill.get(poison.id)).toMatchObject({ reason: 'quarantined', attempts: 0 })
        expect(app.begins('poison')).toBe(3)
        expect(healthy).toHaveLength(40)
        expect(node.events('process.ended').map(({ how }) => how)).toEqual(
          Array(2).fill(kind === 'exit' ? 'exited with 7' : 'crashed (SIGSEGV) in native code'),
        )
      },
      60_000,
    )
  })
})
