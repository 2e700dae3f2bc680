/** What is measured on PostgreSQL and on MySQL or MariaDB: the scenarios of scenarios.ts whose shape is the same, peers of their own. */
import { isolates, nodeScenarios } from './node-scenarios.ts'
import type { StoreName } from './places.ts'
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

type ServerName = Exclude<StoreName, 'sqlite'>

type Settings = Readonly<Record<string, unknown>>
/** How many jobs each peer gets: those that are slow get fewer. */
type Counts = Readonly<Partial<Record<keyof typeof PEERS, number>>>

const PEERS = {
  graphile: { name: 'graphile-worker', script: 'graphile-worker', settings: { tuned: true } },
  boss: { name: 'pg-boss', script: 'pg-boss', settings: { tuned: true, batch: 1000 } },
  redis: { name: 'BullMQ (Redis)', script: 'bullmq', settings: { backend: 'redis' } },
  durableRedis: {
    name: 'BullMQ (Redis, fsync)',
    script: 'bullmq',
    settings: { backend: 'redis', durable: true },
  },
  bullmq: { name: 'BullMQ (PostgreSQL)', script: 'bullmq', settings: { backend: 'postgres' } },
  sidequest: { name: 'Sidequest', script: 'sidequest', settings: {} },
  graphileAsIs: { name: 'graphile-worker, defaults', script: 'graphile-worker', settings: {} },
  bossAsIs: { name: 'pg-boss, defaults', script: 'pg-boss', settings: {} },
  bullmqAsIs: {
    name: 'BullMQ (PostgreSQL), defaults',
    script: 'bullmq',
    settings: { backend: 'postgres', asIs: true },
  },
  sidequestAsIs: { name: 'Sidequest, defaults', script: 'sidequest', settings: { asIs: true } },
} satisfies Record<string, Side>
const MILLRACE: Side = { name: 'Millrace', script: 'millrace', settings: {} }
const ON_POSTGRES = [PEERS.graphile, PEERS.boss, PEERS.bullmq, PEERS.sidequest].map(({ name }) => name)

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
  const all = { graphile: some, boss: some, bullmq: some, sidequest: fewJobs }
  const redis = { redis: jobs, durableRedis: jobs }
  const beside = store === 'postgres' ? { ...all, ...redis } : { sidequest: fewJobs, ...redis }
  return [
    {
      key: 'a',
      id: 'a',
      sides: sides(store, 'a', some, { ...beside, redis: some, durableRedis: some }),
      lines: [
        rate('a', 'enqueue, one by one'),
        best(store, { id: 'a.p50', title: 'enqueue, one by one, p50', figure: 'p50', unit: 'ms' }),
      ],
    },
    {
      key: 'b',
      id: 'b',
      sides: sides(store, 'b', jobs, beside),
      lines: [
        best(store, rate('b', 'enqueue, 100 calls in flight')),
        ...besideRedis(rate('b', 'enqueue, 100 calls in flight')),
      ],
    },
    {
      key: 'c',
      id: 'c',
      sides: sides(
        store,
        'c',
        jobs,
        store === 'postgres' ? { graphile: jobs, boss: jobs, bullmq: jobs, redis: jobs } : {},
      ),
      lines: [rate('c', 'enqueue by 1,000')],
    },
  ]
}

function processing(store: ServerName, { jobs, fewJobs }: Sizes): Scenario[] {
  const shown = jobs.toLocaleString('en')
  const gone = [100, 10, 1].map((concurrency) => {
    const few = { sidequest: fewJobs / { 100: 1, 10: 4, 1: 10 }[concurrency as 100 | 10 | 1] }
    const id = `d${concurrency}-gone`
    const title = `process ${shown}, concurrency ${concurrency}, nothing kept`
    const redis = concurrency === 100 ? { redis: jobs, durableRedis: jobs } : {}
    const lines = [
      lineBeside(store === 'postgres' ? 'graphile' : 'sidequest', rate(id, title)),
      ...(concurrency === 100 ? besideRedis(rate(id, title)) : []),
    ]
    const beside: Counts = store === 'postgres' ? { graphile: jobs, ...redis } : { ...few, ...redis }
    return { key: 'd', id, sides: sides(store, 'd', jobs, beside, { concurrency, kept: false }), lines }
  })
  const title = `process ${shown}, concurrency 100, results kept`
  const kept = (peer: keyof typeof PEERS) => lineBeside(peer, rate(`d100-kept.${peer}`, title))
  const redis = { redis: jobs, durableRedis: jobs }
  const all = { graphile: jobs, boss: jobs, ...redis, bullmq: jobs / 10, sidequest: fewJobs }
  const asIs =
    store === 'postgres'
      ? { graphileAsIs: jobs / 5, bossAsIs: 500, bullmqAsIs: jobs / 20, sidequestAsIs: fewJobs }
      : { sidequestAsIs: fewJobs }
  return [
    ...gone,
    {
      key: 'd',
      id: 'd100-kept',
      sides: sides(store, 'd', jobs, store === 'postgres' ? all : { sidequest: fewJobs }, { concurrency: 100 }),
      lines:
        store === 'postgres'
          ? [kept('graphile'), kept('boss'), ...besideRedis(rate('d100-kept', title))]
          : [kept('sidequest')],
    },
    {
      key: 'd',
      id: 'd100-defaults',
      sides: sides(store, 'd', jobs, asIs, { concurrency: 100 }),
      lines: [rate('d100-defaults', `process ${shown}, concurrency 100, all at their defaults`)],
    },
  ]
}

function latency(store: ServerName, { pulses, idleMs, seconds }: Sizes): Scenario[] {
  const pickup = { scenario: 'pickup', idleMs, concurrency: 10 }
  const listening: Side = { ...PEERS.boss, settings: { tuned: true, listens: true } }
  const onStore: readonly Side[] =
    store === 'postgres' ? [PEERS.graphile, listening, PEERS.bullmq, PEERS.sidequest] : [PEERS.sidequest]
  const all = [...onStore, PEERS.redis]
  const paired = (peers: readonly Side[], settings: Settings) =>
    [MILLRACE, ...peers].map((peer) => twoProcesses(store, peer, settings))
  const mixed = { scenario: 'mixed', seconds, concurrency: 50 }
  const load = { scenario: 'load', seconds, perSecond: 500, concurrency: 100 }
  const together = `producer and worker at once, ${seconds} s`
  return [
    {
      key: 'e',
      id: 'e',
      sides: paired(all, { ...pickup, count: pulses }),
      lines: pickupLines('e', ''),
    },
    ...(store === 'postgres'
      ? [
          {
            key: 'e',
            id: 'e-defaults',
            // pg-boss looks each two seconds: a job more often than that would not find it idle.
            sides: paired([PEERS.graphileAsIs, PEERS.bossAsIs], { ...pickup, count: 10, gapMs: 2_300 }),
            lines: pickupLines('e-defaults', ' (defaults)'),
          },
        ]
      : []),
    {
      key: 'h',
      id: 'h',
      sides: paired([...all, PEERS.durableRedis], mixed),
      lines: [
        best(store, rate('h', together)),
        ...besideRedis(rate('h', together)),
        best(store, { id: 'h.p99', title: `${together}, end to end, p99`, figure: 'p99', unit: 'ms' }),
      ],
    },
    {
      key: 'load',
      id: 'load',
      sides: paired(all, load),
      lines: [
        best(store, { id: 'load.p50', title: '500 jobs a second, end to end, p50', figure: 'p50', unit: 'ms' }),
        best(store, { id: 'load.p99', title: '500 jobs a second, end to end, p99', figure: 'p99', unit: 'ms' }),
      ],
    },
  ]
}

function costs(store: ServerName, { jobs, fewJobs }: Sizes): Scenario[] {
  const memory = { scenario: 'memory', count: jobs, concurrency: 100 }
  // So many that a minute's work of both cores is done: a process that is new is slow until V8 knows its code. Workers run for days;
  // with fewer this would show how Node warms up four times.
  const fleet = { scenario: 'fleet', count: 16 * jobs, concurrency: 100 }
  const beside: Counts =
    store === 'postgres' ? { graphile: jobs, boss: jobs, redis: jobs } : { sidequest: fewJobs, redis: jobs }
  return [
    {
      key: 'f',
      id: 'f-memory',
      sides: [MILLRACE, ...(store === 'postgres' ? [PEERS.graphile, PEERS.boss] : []), PEERS.redis].map((peer) =>
        twoProcesses(store, peer, memory),
      ),
      lines: memoryLines(jobs.toLocaleString('en')),
    },
    {
      key: 'g',
      id: 'g',
      sides: sides(store, 'd', jobs, beside, { concurrency: 100 }),
      lines: [
        { id: 'g', title: 'CPU of the worker for 10,000 jobs, concurrency 100', figure: 'cpuPer10k', unit: 's' },
        { id: 'g.server', title: 'CPU of the server meanwhile', figure: 'serverPer10k', unit: 's' },
      ],
    },
    {
      key: 'fleet',
      id: 'fleet',
      sides: [
        twoProcesses(store, MILLRACE, { ...fleet, workers: 4 }),
        twoProcesses(store, { ...MILLRACE, name: 'one worker' }, { ...fleet, workers: 1 }),
      ],
      lines: [
        rate('fleet', 'four worker processes, concurrency 100 each'),
        { id: 'fleet.errors', title: 'four worker processes, jobs not done once', figure: 'errors', unit: '' },
      ],
    },
  ]
}

/** A worker and an enqueuer, or several workers: bench/sides/pair.js. */
function twoProcesses(store: ServerName, { name, script, settings }: Side, more: Settings): Side {
  return { name, script: 'pair', settings: { ...more, ...onServer(store, script), ...settings, side: script } }
}

/** Sidequest has a backend for each server. */
function onServer(store: ServerName, script: string): Settings {
  return script === 'sidequest' ? { backend: store } : {}
}

/** Millrace and the peers that are named, each with as many jobs as it is given. */
function sides(store: ServerName, scenario: string, count: number, beside: Counts, settings: Settings = {}): Side[] {
  const peers = Object.entries(beside).map(([key, jobs]) => {
    const peer: Side = PEERS[key as keyof typeof PEERS] // Its keys are the peers'.
    return {
      ...peer,
      settings: { ...settings, ...onServer(store, peer.script), ...peer.settings, scenario, count: jobs },
    }
  })
  return [{ ...MILLRACE, settings: { ...settings, scenario, count } }, ...peers]
}

/** The line beside whichever peer on the same database is the best in that round. */
function best(store: ServerName, line: Line): Line {
  return { ...line, beside: store === 'postgres' ? ON_POSTGRES : [PEERS.sidequest.name] }
}

/** The lines beside BullMQ on Redis: as its server is by default, and with a server as durable as a database. */
function besideRedis(line: Line): readonly Line[] {
  return [
    lineBeside('redis', { ...line, id: `${line.id}.redis` }),
    lineBeside('durableRedis', { ...line, id: `${line.id}.durable-redis` }),
  ]
}

function lineBeside(peer: keyof typeof PEERS, line: Line): Line {
  const { name } = PEERS[peer]
  return { ...line, title: `${line.title}, beside ${name}`, beside: [name] }
}
