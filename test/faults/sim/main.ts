/**
 * The simulation by hand: `npm run sim -- --seed 0x5eed` runs one seed and tells how it went; `--seeds 1000 --from 1` runs many
 * and shrinks what fails; `--plant NAME` plants one of the bugs whose names `--plants` lists. Ends with 1 when a run failed.
 */
import { parseArgs } from 'node:util'
import { runBatch } from './batch.ts'
import { planOf } from './plan.ts'
import { PLANTED, type PlantedBug } from './plants.ts'
import { reportOf, seedText } from './report.ts'
import { type Plant, simulate } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    plant: { type: 'string' },
    plants: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
})

if (values.plants) for (const { name } of PLANTED) console.log(name)
else if (values.seed !== undefined) await runOne(Number(values.seed), plantNamed(values.plant))
else await runMany(Number(values.from), Number(values.seeds), plantNamed(values.plant))

async function runOne(seed: number, plant: Plant): Promise<void> {
  const outcome = await simulate(planOf(seed), plant, values.trace)
  for (const line of outcome.trace) console.log(line)
  console.log(`seed ${seedText(seed)}: ${outcome.turns} turns, hash ${outcome.hash >>> 0}`)
  if (outcome.breaches.length === 0) return
  console.log(await reportOf(outcome, plant))
  process.exitCode = 1
}

async function runMany(first: number, runs: number, plant: Plant): Promise<void> {
  const startedAt = performance.now()
  const result = await runBatch(first, runs, plant)
  for (const outcome of result.failed) console.log(await reportOf(outcome, plant))
  const seconds = (performance.now() - startedAt) / 1000
  const sorted = Object.entries(result.seen).sort(([, a], [, b]) => a - b)
  for (const [what, times] of sorted) console.log(`${String(times).padStart(9)} ${what}`)
  console.log(`${result.runs} seeds in ${seconds.toFixed(1)} s, ${result.failed.length} failed`)
  if (result.failed.length > 0) process.exitCode = 1
}

function plantNamed(name: string | undefined): Plant {
  if (name === undefined) return {}
  const found: PlantedBug | undefined = PLANTED.find((plant) => plant.name.includes(name))
  if (found === undefined) throw new Error(`no planted bug is called ${name}; --plants lists them`)
  return found
}
