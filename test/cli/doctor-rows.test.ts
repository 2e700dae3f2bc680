/** `millrace doctor` names damaged rows and ends with 7, until they are mended by the commands that it prints. */
import { expect, test } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import { readTables } from '../support/tables.ts'
import { describeOnStores, runOn } from './stores.ts'

const report = defineJob({ name: 'report', run: (_: number) => {} })

/** A worker that is alive: without one, jobs that wait are a problem too. */
const ABOUT = { host: 'h', pid: 1, version: '1', names: ['report'], queues: null, concurrency: 1, running: 0 }
const WORKER = { ...ABOUT, id: 'w', node: null, status: 'running', health: null } as const

await describeOnStores(({ kind, made }) => {
  test('damaged rows are named with what to do, which makes them go', async () => {
    const url = await made()
    const run = runOn(url)
    const mill = await Millrace.open({ store: url })
    const [bad = '', a = '', b = ''] = (await mill.enqueueMany(report, [1, 2, 3, 4, 5, 6])).map(({ id }) => id)
    await mill.store.cluster.beat(WORKER)
    await mill.close()
    const sound = await run('doctor')
    await readTables(url, async ({ rows }) => {
      await rows(`UPDATE millrace_job SET epoch = -1, attempts = -5 WHERE id = '${bad}'`)
      const bonds = "state = 0, reason = 'parents', waiting_on = 1, dependents = 1"
      await rows(`UPDATE millrace_job SET ${bonds} WHERE id IN ('${a}', '${b}')`)
      const edges = `('${a}', '${b}', 'cancel'), ('${b}', '${a}', 'cancel')`
      await rows(`INSERT INTO millrace_edge (parent_id, child_id, policy) VALUES ${edges}`)
    })

    const [shown, json, all] = [await run('doctor'), await run('doctor', '--json'), await run('doctor', '--rows')]

    expect(sound.stdout).toContain('✓ no row is damaged (the oldest 100,000 of live jobs; --rows looks at all)')
    expect(sound.stdout).not.toContain('ROW_DAMAGED')
    expect([shown.code, json.code, all.code]).toEqual([7, 7, 7])
    const [ofRow, ofRing] = [
      `job ${bad}: epoch is -1; attempts is -5`,
      `in a ring, so that none of them runs: ${a} → ${b} → ${a}`,
    ]
    for (const { stdout } of [shown, all]) {
      expect(stdout).toMatch(new RegExp(`✕ ${ofRow} {2}ROW_DAMAGED\\n +→ .*: millrace job cancel ${bad}\\n`))
      expect(stdout).toMatch(new RegExp(`✕ .*${ofRing} {2}ROW_DAMAGED\\n +→ .*: millrace job cancel ${a}\\n`))
      expect(stdout).not.toContain('no row is damaged')
    }
    const { ok, findings } = JSON.parse(json.stdout)
    const about = { group: 'Store', level: 'problem', code: 'ROW_DAMAGED' }
    expect(ok).toBe(false)
    expect(findings).toContainEqual({ ...about, text: ofRow, fix: expect.stringContaining(`job cancel ${bad}`) })
    expect(findings).toContainEqual({ ...about, text: expect.stringContaining(ofRing), fix: expect.any(String) })
    expect(await run('job', 'cancel', bad, a, '--yes')).toMatchObject({ code: 0 })
    const mended = await run('doctor', '--rows')
    expect(mended.stdout).toContain('✓ no row is damaged (all of live jobs)')
    // The servers of tests are not durable.
    if (kind === 'sqlite') expect([sound.code, mended.code]).toEqual([0, 0])
  })
})
