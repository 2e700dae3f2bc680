/** What is measured, as data, on SQLite here and on servers in server-scenarios.ts: each scenario's sides with what they are told, and the lines that its figures make. */
import { isolates, nodeScenarios } from './node-scenarios.ts'
import type { StoreName } from './places.ts'
import {
  alone,
  BUSY_JOBS_PER_SECOND,
  beside,
  FULL,
  growth,
  type Line,
  memoryLines,
  NORMAL,
  pair,
  peerKey,
  pickupLines,
  QUICK,
  rate,
  type Scenario,
  type Side,
  type Sizes,
  sideOf,
  WHOLE,
} from './scenario.ts'
import { serverScenarios } from './server-scenarios.ts'

/** All scenarios of a store, in the order they are measured. */
export function scenarios(store: StoreName, quick: boolean): readonly Scenario[] {
  if (store !== 'sqlite') return serverScenarios(store, quick)
  const sizes = quick ? QUICK : WHOLE
  return [
    ...enqueueing(sizes),
    ...processing(sizes),
    ...latency(sizes),
    ...starting(sizes),
    ...pressure(sizes),
    ...isolates(sizes, NORMAL),
    ...ours(sizes),
    ...nodeScenarios(sizes, FULL),
  ]
}

/** Every key and id that `--only` takes, keys first. */
export function names(store: StoreName): readonly string[] {
  const all = scenarios(store, true)
  return [...new Set([...all.map(({ key }) => key), ...all.map(({ id }) => id)])]
}

/** Whether `--only` means a scenario by `name`: its key, its id, or one of its lines (`g`, `h.p99`). */
export function isNamed({ key, id, lines }: Scenario, name: string): boolean {
  return [key, id].includes(name) || lines.some((line) => line.id === name || line.id.startsWith(`${name}.`))
}

/** Every peer that `--beside` takes. */
export function peerNames(store: StoreName): readonly string[] {
  const keys = scenarios(store, true).flatMap(({ sides }) => sides.map(peerKey))
  return [...new Set(keys)].filter((key) => key !== undefined)
}

/** The scenario without the peers that `--beside` does not name. */
export function besideOnly(scenario: Scenario, beside: readonly string[]): Scenario {
  const stays = (side: Side) => {
    const key = peerKey(side)
    return key === undefined || beside.includes(key)
  }
  return { ...scenario, sides: scenario.sides.filter(stays) }
}

function enqueueing({ jobs, fewJobs }: Sizes): Scenario[] {
  return [
    {
      key: 'a',
      id: 'a',
      sides: beside('a', { count: jobs / 4 }, { count: fewJobs }),
      lines: [rate('a', 'enqueue, one by one')],
    },
    {
      key: 'b',
      id: 'b',
      sides: beside('b', { count: jobs }, { count: fewJobs }),
      lines: [rate('b', 'enqueue, 100 calls in flight')],
    },
    { key: 'c', id: 'c', sides: beside('c', { count: jobs }), lines: [rate('c', 'enqueue by 1,000')] },
  ]
}

function processing({ jobs, fewJobs }: Sizes): Scenario[] {
  const shown = jobs.toLocaleString('en')
  const atConcurrency = [1, 10, 100].map((concurrency) => ({
    key: 'd',
    id: `d${concurrency}`,
    sides: beside('d', { count: jobs, concurrency }, { count: concurrency === 1 ? fewJobs / 2 : fewJobs }),
    lines: [rate(`d${concurrency}`, `process ${shown}, concurrency ${concurrency}`)],
  }))
  const d = { scenario: 'd', count: jobs, concurrency: 100 }
  const plain: Side = { name: 'without', script: 'millrace', settings: { ...NORMAL, ...d } }
  return [
    ...atConcurrency,
    {
      key: 'zod',
      id: 'zod',
      sides: [{ name: 'Millrace', script: 'millrace', settings: { ...NORMAL, ...d, handler: 'zod' } }, plain],
      lines: [rate('zod', `process ${shown}, concurrency 100, zod schema`)],
    },
    {
      key: 'ts',
      id: 'ts',
      sides: [
        { name: 'Millrace', script: 'millrace', settings: { ...NORMAL, ...d, handler: 'ts' } },
        { ...plain, name: 'compiled' },
      ],
      lines: [rate('ts', `process ${shown}, concurrency 100, .ts handler file`)],
    },
    {
      key: 'full',
      id: 'full',
      sides: [
        { name: 'Millrace', script: 'millrace', settings: { ...FULL, ...d } },
        { ...plain, name: 'normal' },
      ],
      lines: [rate('full', `process ${shown}, concurrency 100, fsync at each commit`)],
    },
    {
      key: 'g',
      id: 'g',
      sides: beside('d', { count: jobs, concurrency: 100 }, { count: fewJobs }),
      lines: [{ id: 'g', title: 'CPU for 10,000 jobs, concurrency 100', figure: 'cpuPer10k', unit: 's' }],
    },
  ]
}

function latency({ pulses, idleMs, seconds }: Sizes): Scenario[] {
  const pickup = { scenario: 'pickup', count: pulses, idleMs }
  const paired = (name: string, settings: Readonly<Record<string, unknown>>) => pair(name, { ...NORMAL, ...settings })
  return [
    {
      key: 'e',
      id: 'e',
      sides: [
        paired('Millrace', { ...pickup, concurrency: 10 }),
        // One job at a time needs one of its workers; each further one polls too.
        paired('plainjob', { ...pickup, concurrency: 1 }),
        paired('Sidequest', { ...pickup, concurrency: 10 }),
      ],
      lines: pickupLines('e', ''),
    },
    {
      key: 'e',
      id: 'e-full',
      sides: [pair('Millrace', { ...FULL, ...pickup, concurrency: 10 })],
      lines: pickupLines('e-full', ' (fsync)'),
    },
    {
      key: 'h',
      id: 'h',
      sides: ['Millrace', 'plainjob', 'Sidequest'].map((name) =>
        paired(name, { scenario: 'mixed', seconds, concurrency: 50 }),
      ),
      lines: [
        rate('h', `producer and worker at once, ${seconds} s`),
        { id: 'h.p50', title: 'producer and worker at once, end to end, p50', figure: 'p50', unit: 'ms' },
        { id: 'h.p99', title: 'producer and worker at once, end to end, p99', figure: 'p99', unit: 'ms' },
      ],
    },
  ]
}

function starting({ jobs, fewJobs }: Sizes): Scenario[] {
  const start = (name: string, scenario: string, more: Readonly<Record<string, unknown>> = {}): Side => ({
    name,
    script: 'start',
    settings: { ...FULL, concurrency: 10, scenario, side: sideOf(name), ...more },
  })
  const bare = start('bare Node', 'bare')
  const memory = { ...NORMAL, scenario: 'memory', count: jobs, concurrency: 100 }
  const after = jobs.toLocaleString('en')
  return [
    {
      key: 'f',
      id: 'f-library',
      sides: [start('Millrace', 'library'), start('plainjob', 'library'), start('Sidequest', 'library'), bare],
      lines: [{ id: 'f-library', title: 'start to first job done, library', figure: 'ms', unit: 'ms' }],
    },
    {
      key: 'f',
      id: 'f-work',
      sides: [start('Millrace', 'command'), bare],
      lines: [{ id: 'f-work', title: 'start to first job done, `millrace work`', figure: 'ms', unit: 'ms' }],
    },
    {
      key: 'f',
      id: 'f-memory',
      sides: [
        pair('Millrace', memory),
        pair('plainjob', { ...memory, concurrency: 1 }),
        pair('Sidequest', { ...memory, count: fewJobs }),
      ],
      lines: memoryLines(`${after} (Sidequest ${fewJobs.toLocaleString('en')})`),
    },
  ]
}

function pressure({ rows, busySeconds, crowdSeconds }: Sizes): Scenario[] {
  return [
    ...growth(rows, NORMAL),
    {
      key: 'busy',
      id: 'busy',
      sides: [
        alone('Millrace', {
          ...FULL,
          scenario: 'busy',
          seconds: busySeconds,
          count: busySeconds * BUSY_JOBS_PER_SECOND,
        }),
      ],
      lines: [
        { id: 'busy.p50', title: 'enqueue beside a busy worker, p50', figure: 'p50', unit: 'ms' },
        { id: 'busy.p99', title: 'enqueue beside a busy worker, p99', figure: 'p99', unit: 'ms' },
        { id: 'busy.longest', title: 'enqueue beside a busy worker, longest', figure: 'longest', unit: 'ms' },
        rate('busy', 'the busy worker meanwhile'),
      ],
    },
    {
      key: 'crowd',
      id: 'crowd',
      sides: [alone('Millrace', { ...FULL, scenario: 'crowd', seconds: crowdSeconds })],
      lines: [
        rate('crowd', `4 workers, 2 producers, ${crowdSeconds} s`),
        { id: 'crowd.p99', title: 'crowd, wait of an enqueue, p99', figure: 'p99', unit: 'ms' },
        { id: 'crowd.longest', title: 'crowd, wait of an enqueue, longest', figure: 'longest', unit: 'ms' },
        { id: 'crowd.pickup.p99', title: 'crowd, enqueue to handler, p99', figure: 'pickupP99', unit: 'ms' },
        {
          id: 'crowd.pickup.longest',
          title: 'crowd, enqueue to handler, longest',
          figure: 'pickupLongest',
          unit: 'ms',
        },
        { id: 'crowd.errors', title: 'crowd, errors and jobs not done once', figure: 'errors', unit: '' },
        { id: 'crowd.share', title: "crowd, slowest worker's share of the mean", figure: 'leastShare', unit: '×' },
      ],
    },
  ]
}

function ours({ jobs, largePayloads }: Sizes): Scenario[] {
  const stage = (figure: string, title: string): Line => ({
    id: `stages.${figure}`,
    title: `stage: ${title}`,
    figure,
    unit: 'µs',
  })
  return [
    {
      key: 'payload',
      id: 'payload',
      sides: [alone('Millrace', { ...FULL, scenario: 'payload', count: largePayloads })],
      lines: [
        { id: 'payload.p50', title: '1 MiB encrypted, end to end, p50', figure: 'p50', unit: 'ms' },
        { id: 'payload.longest', title: '1 MiB encrypted, end to end, longest', figure: 'longest', unit: 'ms' },
        { id: 'payload.delay', title: "1 MiB encrypted, the loop's worst delay", figure: 'loopDelay', unit: 'ms' },
      ],
    },
    {
      key: 'stages',
      id: 'stages',
      sides: [{ name: 'Millrace', script: 'stages', settings: { ...NORMAL, count: jobs, concurrency: 100 } }],
      lines: [
        stage('encode', 'encode'),
        stage('insert', 'insert'),
        stage('insertCommit', 'commit of inserts'),
        stage('enqueueRest', 'rest of enqueue'),
        stage('claim', 'claim'),
        stage('decode', 'decode'),
        stage('settle', 'settle'),
        stage('settleCommit', 'commit of exchanges'),
        stage('other', 'other statements'),
        stage('workRest', 'run: slots, promises, handler'),
        stage('garbage', 'garbage collection, within the above'),
        stage('total', 'a whole job'),
      ],
    },
  ]
}
