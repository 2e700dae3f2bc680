/** A failing run told to people: its seed, what broke, what it takes, and how it went. */

import type { Plan } from './plan.ts'
import { shrink } from './shrink.ts'
import type { Outcome, Plant } from './simulation.ts'
import { simulate } from './simulation.ts'

/** So many lines of a trace stand in a report; the first are the least worth. */
const MOST_LINES = 120

/** A seed as it is written. */
export function seedText(seed: number): string {
  return `0x${seed.toString(16)}`
}

/** Shrinks a failing run and tells of it. */
export async function reportOf(outcome: Outcome, plant: Plant = {}): Promise<string> {
  const small = await shrink(outcome, plant)
  const { breaches, trace } = await simulate(small, plant, true)
  const cut = trace.length > MOST_LINES ? [`… ${trace.length - MOST_LINES} lines before`] : []
  return [
    `seed ${seedText(outcome.plan.seed)} breaks:`,
    ...outcome.breaches.slice(0, 5).map((breach) => `  ${breach}`),
    'shrunk to:',
    ...told(small).map((line) => `  ${line}`),
    'which breaks:',
    ...breaches.slice(0, 5).map((breach) => `  ${breach}`),
    'so:',
    ...[...cut, ...trace.slice(-MOST_LINES)].map((line) => `  ${line}`),
    `run it alone: npm run sim -- --seed ${seedText(outcome.plan.seed)}`,
  ].join('\n')
}

function told({
  leaseMs,
  pollMs,
  deadlineMs,
  slots,
  jobs,
  faults,
  acts,
  calls,
  hints,
  rates,
}: Plan): readonly string[] {
  return [
    `lease ${leaseMs} ms, poll ${pollMs} ms, deadline of a call ${deadlineMs} ms`,
    ...slots.map((slot, i) => `worker ${i}: ${JSON.stringify(slot)}`),
    ...jobs.map((job) => `job ${JSON.stringify(job)}`),
    ...faults.map((fault) => `fault ${JSON.stringify(fault)}`),
    ...acts.map((act) => `operator ${JSON.stringify(act)}`),
    ...(calls === null
      ? [`calls ${JSON.stringify(rates)}`]
      : Object.entries(calls).map(([call, fate]) => `call ${call}: ${fate}`)),
    ...(hints.lost + hints.doubled > 0 ? [`hints ${JSON.stringify(hints)}`] : []),
  ]
}
