/** What is measured on PostgreSQL and on MySQL or MariaDB: the scenarios of scenarios.ts whose shape is the same, peers of their own. */
import { isolates, nodeScenarios } from './node-scenarios.ts'
import {
  growth,
  type Line,
  memoryLines,
  pickupLines,
  QUICK,
  rate,
  type Scenario,
  type Side,
  type Sizes,
  WHOLE,
} from './scenario.ts'
import {
  besideDefaults,
  besideRedis,
  best,
  type Counts,
  cpuLines,
  having,
  inProcesses,
  LISTENING,
  lineBeside,
  MILLRACE,
  PEERS,
  pairs,
  type ServerName,
  sides,
} from './server-peers.ts'

/** All scenarios of a server, in the order they are measured. */
export function serverScenarios(store: ServerName, quick: boolean): readonly Scenario[] {
  const sizes = quick ? QUICK : WHOLE
  return [
    ...enqueueing(store, sizes),
    ...processing(store, sizes),
    ...latency(store, sizes),
    ...costs(store, sizes),
    ...growth(sizes.rows, {}),
    ...nodeScenarios(sizes, {}),
    ...isolates(sizes, {}),
  ]
}

function enqueueing(store: ServerName, { jobs, fewJobs }: Sizes): Scenario[] {
  const some = jobs / 10
  const few = some / 2
  const onDatabases: Counts = { graphile: some, boss: some, bullmq: some, sidequest: fewJobs }
  const atDefaults: Counts = { graphileAsIs: few, bossAsIs: few, bullmqAsIs: few, sidequestAsIs: fewJobs }
  const b = rate('b', 'enqueue, 100 calls in flight')
  return [
    {
      key: 'a',
      id: 'a',
      sides: sides(store, 'a', some, { ...onDatabases, redis: some, durableRedis: some }),
      lines: [
        rate('a', 'enqueue, one by one'),
        best(store, { id: 'a.p50', title: 'enqueue, one by one, p50', figure: 'p50', unit: 'ms' }),
      ],
    },
    {
      key: 'b',
      id: 'b',
      sides: sides(store, 'b', jobs, { ...onDatabases, redis: jobs, durableRedis: jobs, ...atDefaults }),
      lines: [
        best(store, b),
        ...besideRedis(b),
        besideDefaults(store, b),
        ...cpuLines('b', 'enqueue, 100 calls in flight', 'client'),
      ],
    },
    {
      key: 'c',
      id: 'c',
      sides: sides(store, 'c', jobs, { graphile: jobs, boss: jobs, bullmq: jobs, redis: jobs }),
      lines: [rate('c', 'enqueue by 1,000')],
    },
  ]
}

function processing(store: ServerName, sizes: Sizes): Scenario[] {
  const { jobs, fewJobs } = sizes
  const shown = `process ${jobs.toLocaleString('en')}, concurrency 100`
  const kept = (peer: keyof typeof PEERS) => lineBeside(peer, rate(`d100-kept.${peer}`, `${shown}, results kept`))
  const redis = { redis: jobs, durableRedis: jobs }
  const all = { graphile: jobs, boss: jobs, ...redis, bullmq: jobs / 10, sidequest: fewJobs }
  const asIs = { graphileAsIs: jobs / 5, bossAsIs: 500, bullmqAsIs: jobs / 20, sidequestAsIs: fewJobs }
  return [
    ...([100, 10, 1] as const).map((concurrency) => nothingKept(store, concurrency, sizes)),
    {
      key: 'd',
      id: 'd100-kept',
      sides: sides(store, 'd', jobs, all, { concurrency: 100 }),
      lines: [
        ...(store === 'postgres' ? [kept('graphile'), kept('boss')] : [kept('sidequest')]),
        ...besideRedis(rate('d100-kept', `${shown}, results kept`)),
        ...cpuLines('g', `${shown}, results kept`),
      ],
    },
    {
      key: 'd',
      id: 'd100-defaults',
      sides: sides(store, 'd', jobs, asIs, { concurrency: 100 }),
      lines: [
        rate('d100-defaults', `${shown}, all at their defaults`),
        ...cpuLines('g-defaults', `${shown}, all at their defaults`),
      ],
    },
  ]
}

/** Beside the peer that keeps nothing either, on MySQL Sidequest. Defaults at concurrency 100 are a scenario of their own. */
function nothingKept(store: ServerName, concurrency: 100 | 10 | 1, { jobs, fewJobs }: Sizes): Scenario {
  const id = `d${concurrency}-gone`
  const line = rate(id, `process ${jobs.toLocaleString('en')}, concurrency ${concurrency}, nothing kept`)
  const few = fewJobs / { 100: 1, 10: 4, 1: 10 }[concurrency]
  const peer = store === 'postgres' ? 'graphile' : 'sidequest'
  const counts: Counts = store === 'postgres' ? { graphile: jobs } : { sidequest: few }
  const asIs: Counts = store === 'postgres' ? { graphileAsIs: jobs / 20 } : { sidequestAsIs: Math.ceil(few / 2) }
  const more: Counts = concurrency === 100 ? { redis: jobs, durableRedis: jobs } : asIs
  return {
    key: 'd',
    id,
    sides: sides(store, 'd', jobs, { ...counts, ...more }, { concurrency, kept: false }),
    lines: [
      lineBeside(peer, line),
      ...(concurrency === 100 ? besideRedis(line) : [lineBeside(`${peer}AsIs`, { ...line, id: `${id}.defaults` })]),
    ],
  }
}

function latency(store: ServerName, { pulses, idleMs, seconds }: Sizes): Scenario[] {
  const pickup = { scenario: 'pickup', idleMs, concurrency: 10 }
  const all: readonly Side[] = [PEERS.graphile, LISTENING, PEERS.bullmq, PEERS.sidequest, PEERS.redis]
  const asIs: readonly Side[] = [PEERS.graphileAsIs, PEERS.bossAsIs, PEERS.bullmqAsIs, PEERS.sidequestAsIs]
  // pg-boss looks each two seconds, and Sidequest may take a good part of one for a job: more often would not find them idle.
  const seldom = store === 'postgres' ? { count: 10, gapMs: 2_300 } : { count: 20, gapMs: 1_000 }
  const mixed = { scenario: 'mixed', seconds, concurrency: 50 }
  const load = { scenario: 'load', seconds, perSecond: 500, concurrency: 100 }
  const together = `producer and worker at once, ${seconds} s`
  const steady = (figure: 'p50' | 'p99'): Line => {
    return { id: `load.${figure}`, title: `500 jobs a second, end to end, ${figure}`, figure, unit: 'ms' }
  }
  const h = rate('h', together)
  const hP99: Line = { id: 'h.p99', title: `${together}, end to end, p99`, figure: 'p99', unit: 'ms' }
  return [
    {
      key: 'e',
      id: 'e',
      sides: pairs(store, all, { ...pickup, count: pulses }),
      lines: [
        ...idleLines('e', ''),
        lineBeside('redis', { id: 'e.p50.redis', title: 'idle pick-up, p50', figure: 'p50', unit: 'ms' }),
      ],
    },
    {
      key: 'e',
      id: 'e-defaults',
      sides: pairs(store, asIs, { ...pickup, ...seldom }),
      lines: idleLines('e-defaults', ' (defaults)'),
    },
    {
      key: 'h',
      id: 'h',
      sides: pairs(store, [...all, PEERS.durableRedis, ...asIs], mixed),
      lines: [
        best(store, h),
        ...besideRedis(h),
        best(store, hP99),
        besideDefaults(store, h),
        ...cpuLines('h', together),
      ],
    },
    {
      key: 'load',
      id: 'load',
      sides: pairs(store, [...all, ...asIs], load),
      lines: [
        best(store, steady('p50')),
        best(store, steady('p99')),
        besideDefaults(store, steady('p50')),
        besideDefaults(store, steady('p99')),
        ...cpuLines('load', '500 jobs a second'),
      ],
    },
  ]
}

function idleLines(id: string, how: string): Line[] {
  const server: Line = {
    id: `${id}.server`,
    title: `idle worker${how}, CPU of the server`,
    figure: 'idleServerCpu',
    unit: '%',
  }
  return [...pickupLines(id, how), server]
}

function costs(store: ServerName, { jobs, fewJobs }: Sizes): Scenario[] {
  const memory = { scenario: 'memory', count: jobs, concurrency: 100 }
  // So many that a minute's work of both cores is done: a process that is new is slow until V8 knows its code. Workers run for days;
  // with fewer this would show how Node warms up four times.
  const fleet = { scenario: 'fleet', count: 16 * jobs, concurrency: 100 }
  return [
    {
      key: 'f',
      id: 'f-memory',
      sides: pairs(
        store,
        [
          PEERS.graphile,
          PEERS.boss,
          having(PEERS.bullmq, jobs / 10),
          having(PEERS.sidequest, fewJobs),
          PEERS.redis,
          having(PEERS.graphileAsIs, jobs / 5),
          having(PEERS.bossAsIs, 500),
          having(PEERS.bullmqAsIs, jobs / 20),
          having(PEERS.sidequestAsIs, fewJobs),
        ],
        memory,
      ),
      lines: memoryLines(`${jobs.toLocaleString('en')} (slow peers: fewer)`),
    },
    {
      key: 'fleet',
      id: 'fleet',
      sides: [
        inProcesses(store, MILLRACE, { ...fleet, workers: 4 }),
        inProcesses(store, { ...MILLRACE, name: 'one worker' }, { ...fleet, workers: 1 }),
      ],
      lines: [
        rate('fleet', 'four worker processes, concurrency 100 each'),
        { id: 'fleet.errors', title: 'four worker processes, jobs not done once', figure: 'errors', unit: '' },
        ...cpuLines('fleet', 'four worker processes', 'workers'),
      ],
    },
  ]
}
