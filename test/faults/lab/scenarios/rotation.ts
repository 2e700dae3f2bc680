/** F-31: the key is changed under load, workers that do not have the new one among them, processes killed all the while. */
import { createHash } from 'node:crypto'
import { Fleet } from '../fleet.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly jobs: number; readonly kills: number; readonly rekeyKills: number }>> = {
  short: { jobs: 60, kills: 1, rekeyKills: 1 },
  long: { jobs: 1_000, kills: 15, rekeyKills: 5 },
}
const WORKERS = 2
const key = (name: string) => createHash('sha256').update(`a key of the tests: ${name}`).digest('base64')
const OLD = JSON.stringify({ active: 'k1', keys: { k1: key('k1') } })
const BOTH = JSON.stringify({ active: 'k2', keys: { k1: key('k1'), k2: key('k2') } })
const NEW = JSON.stringify({ active: 'k2', keys: { k2: key('k2') } })
const REKEY_MS = 120_000

/** The scenario. */
export const rotation: Scenario = {
  name: 'rotation',
  fault: 'F-31',
  summary: 'the key is changed under load, with SIGKILL to workers and to the rekeying',
  leaseMs: { short: 1_200, long: 2_000 },
  keys: NEW,
  async run(lab, size) {
    const { jobs, kills, rekeyKills } = SIZES[size]
    const inputs = (count: number) => Array.from({ length: count }, () => ({ ms: lab.between(1, 20) }))
    const mill = await lab.mill()
    const wrong: string[] = []
    const before = await lab.producer({ keys: OLD })
    const old = new Fleet(lab, WORKERS, { keys: OLD })
    await old.ready()
    await before.send({ kind: 'work', inputs: inputs(jobs) })
    // Producers are given the new key first here, which is the wrong way round: its jobs wait until a worker has it.
    const after = await lab.producer({ keys: BOTH })
    await after.send({ kind: 'work', inputs: inputs(jobs) })
    await lab.until('jobs wait for the new key', async () => (await mill.count({ state: 'blocked' })).count > 0)
    const parked = (await mill.count({ state: 'blocked' })).count
    const fleet = new Fleet(lab, WORKERS, { keys: BOTH })
    await fleet.ready()
    for (const worker of old.workers) {
      lab.note({ kind: 'kill', pid: worker.pid })
      await worker.kill()
    }
    const sent = after.send({ kind: 'work', inputs: inputs(jobs) })
    for (let blow = 0; blow < kills; blow++) {
      await lab.rest(50, 600)
      await fleet.kill(fleet.pick())
    }
    await sent
    await lab.drained(120_000)

    let killed = 0
    for (let blow = 0; blow < rekeyKills; blow++) {
      const rekey = lab.command(['rekey'], BOTH)
      await lab.rest(100, 500)
      if (!rekey.isOver) killed++
      await rekey.kill()
    }
    const last = lab.command(['rekey', '--json'], BOTH)
    await lab.until('everything is sealed anew', () => last.isOver, REKEY_MS)
    const { code, stderr } = await last.ended
    if (code !== 0) wrong.push(`rekey ended with ${code}: ${stderr.slice(-300)}`)
    return { fired: { parked, kills: kills + WORKERS, rekeyings: killed }, wrong, figures: { parked } }
  },
}
