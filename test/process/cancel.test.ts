/** `millrace job cancel` of jobs that run in another process: what it waits for, and what it says of those that do not stop. */
import { expect, test } from 'vitest'
import { cliHere } from '../support/cli-here.ts'
import { describeOnEvery } from '../support/every-store.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { until, workNode } from '../support/node-run.ts'

const HOUR = 3_600_000

await describeOnEvery(({ freshUrl }) => {
  test('job cancel waits until a running job has stopped, wherever it runs, and ends with 4 when it has not in time', async () => {
    const app = await nodeApp('', await freshUrl())
    const cancel = (id: string, words = '') =>
      cliHere(app.folder, ['job', 'cancel', id, ...words.split(' ').filter(Boolean), '--store', app.storeUrl])
    const started = async (job: (typeof JOBS)['slow' | 'deaf'], n: string, queue: string) => {
      const { id } = await app.mill.enqueue(job, { n, ms: HOUR }, { queue })
      await until(() => app.begins(n)).toBe(1)
      return id
    }
    const worker = workNode(app, '--queues brief --grace 200ms')
    // Its handlers may ignore their signal for longer than anything here takes.
    workNode(app, '--queues patient --grace 10m --processes 1')

    const heeding = await started(JOBS.slow, 'heeding', 'patient')
    expect(await cancel(heeding)).toEqual({ code: 0, stdout: `${heeding}\tcancelled\n`, stderr: '' })
    expect(await app.mill.get(heeding)).toMatchObject({ state: 'cancelled', reason: 'requested', attempts: 1 })

    // Left behind when its grace is over: it never ends, its attempt has.
    const deaf = await started(JOBS.deaf, 'deaf', 'brief')
    expect(await cancel(deaf)).toEqual({ code: 0, stdout: `${deaf}\tcancelled\n`, stderr: '' })
    expect(await app.mill.get(deaf)).toMatchObject({ state: 'cancelled', reason: 'requested' })

    // Had it waited, it would have ended with 4.
    const left = await started(JOBS.deaf, 'left', 'patient')
    expect(await cancel(left, '--no-wait')).toEqual({ code: 0, stdout: `${left}\tcancelling\n`, stderr: '' })

    const late = await started(JOBS.deaf, 'late', 'patient')
    const before = performance.now()
    const unconfirmed = await cancel(late, '--timeout 100ms')
    expect(performance.now() - before).toBeLessThan(10_000) // The default is 20 s.
    expect(unconfirmed).toMatchObject({ code: 4, stdout: `${late}\tcancelling\n` })
    expect(unconfirmed.stderr).toMatch(/^cancelling: it was asked to stop, and still runs\./)
    expect(await app.mill.get(late)).toMatchObject({ state: 'processing' })

    worker.signal('SIGTERM')
    expect(await worker.ended).toEqual({ code: 0, signal: null })
  }, 60_000)
})
