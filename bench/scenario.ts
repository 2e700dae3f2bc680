/** The parts that scenarios are made of: their shape, how much is measured, and sides with what they are told. */

/** How the figures of a line are shown, and whether more of it is better. */
export type Unit = '/s' | 'ms' | '%' | 'MiB' | 'µs' | 's' | '×' | ''

/** One row of the table. */
export interface Line {
  /** What floors and recorded files call it. */
  readonly id: string
  readonly title: string
  /** The key of this figure in what the sides print. */
  readonly figure: string
  readonly unit: Unit
  /** The sides it is compared with, the best of them in each round; default the second. */
  readonly beside?: readonly string[]
}

/** One program that is measured, and what it is told. */
export interface Side {
  readonly name: string
  /** The file in bench/sides/. */
  readonly script: string
  readonly settings: Readonly<Record<string, unknown>>
}

export interface Scenario {
  /** What `--only` takes. */
  readonly key: string
  /** Unique; `--only` takes it too. */
  readonly id: string
  /** Ours first; ratios are ours to the second. */
  readonly sides: readonly Side[]
  readonly lines: readonly Line[]
}

/** How much is measured. */
export interface Sizes {
  readonly jobs: number
  readonly seconds: number
  /** So many that the p99 is not one or two of them. */
  readonly pulses: number
  readonly idleMs: number
  readonly rows: number
  readonly busySeconds: number
  readonly crowdSeconds: number
  readonly largePayloads: number
  /** Of Sidequest, which is slow. */
  readonly fewJobs: number
}

export const WHOLE: Sizes = {
  jobs: 100_000,
  seconds: 20,
  pulses: 1_000,
  idleMs: 10_000,
  rows: 1_000_000,
  busySeconds: 10,
  crowdSeconds: 30,
  largePayloads: 50,
  fewJobs: 2_000,
}
export const QUICK: Sizes = {
  jobs: 20_000,
  seconds: 6,
  pulses: 60,
  idleMs: 3_000,
  rows: 100_000,
  busySeconds: 4,
  crowdSeconds: 8,
  largePayloads: 10,
  fewJobs: 500,
}

/** A busy worker must not run out of jobs; more than any worker has done in a second. */
export const BUSY_JOBS_PER_SECOND = 150_000

/** Side scripts that measure Millrace. */
const OURS = ['millrace', 'stages', 'isolate']

export const NORMAL = { durability: 'normal' }
export const FULL = { durability: 'full' }

/** A line of operations a second. */
export function rate(id: string, title: string): Line {
  return { id, title, figure: 'perSecond', unit: '/s' }
}

/** Millrace and plainjob at the same settings, and Sidequest with as much as it manages, when it can at all. */
export function beside(
  scenario: string,
  settings: Readonly<Record<string, unknown>>,
  few?: Readonly<Record<string, unknown>>,
): Side[] {
  const told = { ...NORMAL, scenario, ...settings }
  return [
    { name: 'Millrace', script: 'millrace', settings: told },
    { name: 'plainjob', script: 'plainjob', settings: told },
    ...(few === undefined ? [] : [{ name: 'Sidequest', script: 'sidequest', settings: { ...told, ...few } }]),
  ]
}

/** Two processes of one side, or a worker beside bare Node: bench/sides/pair.js. */
export function pair(name: string, settings: Readonly<Record<string, unknown>>): Side {
  return { name, script: 'pair', settings: { ...settings, side: sideOf(name) } }
}

/** Only Millrace: bench/sides/pressure.js. */
export function alone(name: string, settings: Readonly<Record<string, unknown>>): Side {
  return { name, script: 'pressure', settings: { ...settings, side: 'millrace' } }
}

/** Pick-up by an idle worker, and what idling costs. `how` tells apart what is measured twice. */
export function pickupLines(id: string, how: string): Line[] {
  return [
    { id: `${id}.p50`, title: `idle pick-up${how}, p50`, figure: 'p50', unit: 'ms' },
    { id: `${id}.p99`, title: `idle pick-up${how}, p99`, figure: 'p99', unit: 'ms' },
    { id: `${id}.cpu`, title: `idle worker${how}, CPU`, figure: 'idleCpu', unit: '%' },
  ]
}

/** Memory of a worker above that of a bare Node; `after` says how many jobs it has done. */
export function memoryLines(after: string): Line[] {
  return [
    { id: 'f-memory.idle', title: 'PSS above bare Node, idle', figure: 'idle', unit: 'MiB' },
    { id: 'f-memory.after', title: `PSS above bare Node, after ${after}`, figure: 'after', unit: 'MiB' },
  ]
}

/** A million that wait, and a million that are kept, beside the same rounds without them. */
export function growth(rows: number, settings: Readonly<Record<string, unknown>>): Scenario[] {
  const rounds = (name: string, fillRole: string, count: number): Side =>
    alone(name, { ...settings, scenario: 'rounds', rounds: 5, fillRole, count })
  const shown = rows.toLocaleString('en')
  const few = rounds('10,000 waiting', 'fill', 0)
  return [
    {
      key: 'i',
      id: 'i-waiting',
      sides: [rounds('Millrace', 'fill', rows), few],
      lines: [rate('i-waiting', `process 50,000 while ${shown} wait`)],
    },
    {
      key: 'i',
      id: 'i-kept',
      sides: [rounds('Millrace', 'keep', rows), few],
      lines: [rate('i-kept', `process 50,000 beside ${shown} finished`)],
    },
  ]
}

/** What `--beside` calls a peer: its name in small letters, with dashes. Undefined where it is no peer but ours, or a bare Node. */
export function peerKey({ name, script, settings }: Side): string | undefined {
  const measured = String(settings.side ?? script)
  if (OURS.includes(measured)) return undefined
  return name
    .toLowerCase()
    .match(/[a-z0-9]+/g)
    ?.join('-')
}

/** The file of a side by its name. */
export function sideOf(name: string): string {
  return name === 'bare Node' ? 'millrace' : name.toLowerCase()
}
