/**
 * The peers on a server, each at the best settings that it documents and at its defaults, and what scenarios put together of them:
 * sides with what they are told, and lines beside some of them.
 */
import type { StoreName } from './places.ts'
import type { Line, Side } from './scenario.ts'

/** A store on a server. */
export type ServerName = Exclude<StoreName, 'sqlite'>

/** What a side is told. */
export type Settings = Readonly<Record<string, unknown>>

/** How many jobs each peer gets: those that are slow get fewer. */
export type Counts = Readonly<Partial<Record<keyof typeof PEERS, number>>>

/** Where the best settings of peers are their defaults, so that measuring those too would be the same twice. */
export interface Same {
  /** As the sides are named. */
  readonly peers: readonly string[]
  /** Ids of scenarios; undefined is each that has the peer. */
  readonly scenarios?: readonly string[]
  readonly why: string
}

const BEST = {
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
} satisfies Record<string, Side>

const DEFAULTS = {
  graphileAsIs: { name: atDefaults(BEST.graphile.name), script: 'graphile-worker', settings: {} },
  bossAsIs: { name: atDefaults(BEST.boss.name), script: 'pg-boss', settings: {} },
  bullmqAsIs: {
    name: atDefaults(BEST.bullmq.name),
    script: 'bullmq',
    settings: { backend: 'postgres', asIs: true },
  },
  sidequestAsIs: { name: atDefaults(BEST.sidequest.name), script: 'sidequest', settings: { asIs: true } },
} satisfies Record<string, Side>

/** Every peer, those at their defaults with `AsIs` in their keys. */
export const PEERS = { ...BEST, ...DEFAULTS }
/** pg-boss where it listens for what has to be picked up at once, and fetches as many as it may run. */
export const LISTENING: Side = { ...PEERS.boss, settings: { tuned: true, listens: true } }
/** Ours. */
export const MILLRACE: Side = { name: 'Millrace', script: 'millrace', settings: {} }

const ON_A_DATABASE: readonly Side[] = [PEERS.graphile, PEERS.boss, PEERS.bullmq, PEERS.sidequest]

/** The one place that says which peers have no side of their own at their defaults, and why. */
export const SAME_AT_DEFAULTS: readonly Same[] = [
  {
    peers: [PEERS.redis.name, PEERS.durableRedis.name],
    why: 'on Redis it has no other setting than the concurrency, which all are told; with fsync the server is set up, not BullMQ',
  },
  {
    peers: [PEERS.graphile.name, PEERS.boss.name, PEERS.bullmq.name, PEERS.sidequest.name],
    scenarios: ['a', 'c'],
    why: 'a producer differs in the size of its pool alone, and one call after the other takes one connection of it',
  },
]

/** The name of a peer's side at its defaults. */
export function atDefaults(name: string): string {
  return `${name}, defaults`
}

/** Millrace and those of the peers named that run on this store, each with as many jobs as it is given. */
export function sides(
  store: ServerName,
  scenario: string,
  count: number,
  beside: Counts,
  settings: Settings = {},
): Side[] {
  const counted = Object.entries(beside).map(([key, jobs]) => {
    const peer: Side = PEERS[key as keyof typeof PEERS] // Its keys are the peers'.
    return having(peer, jobs)
  })
  return [having(MILLRACE, count), ...counted]
    .filter((side) => runsOn(store, side))
    .map(({ name, script, settings: own }) => {
      return { name, script, settings: { ...settings, ...onServer(store, script), ...own, scenario } }
    })
}

/** The same, each a worker and an enqueuer, or several workers: bench/sides/pair.js. What a side is told itself goes before `told`. */
export function pairs(store: ServerName, peers: readonly Side[], told: Settings): Side[] {
  return [MILLRACE, ...peers].filter((side) => runsOn(store, side)).map((side) => inProcesses(store, side, told))
}

/** One side of several processes. */
export function inProcesses(store: ServerName, { name, script, settings }: Side, told: Settings): Side {
  return { name, script: 'pair', settings: { ...told, ...onServer(store, script), ...settings, side: script } }
}

/** A peer with as many jobs as it manages. */
export function having({ name, script, settings }: Side, count: number): Side {
  return { name, script, settings: { ...settings, count } }
}

/** The line beside whichever peer on the same database is the best in that round, at its best settings. */
export function best(store: ServerName, line: Line): Line {
  const peers = ON_A_DATABASE.filter((side) => runsOn(store, side))
  return { ...line, beside: peers.map(({ name }) => name) }
}

/** The line beside the peers that have a side at their defaults, the best of them in that round. */
export function besideDefaults(store: ServerName, line: Line): Line {
  const peers: Side[] = Object.values(DEFAULTS).filter((side) => runsOn(store, side))
  return {
    ...line,
    id: `${line.id}.defaults`,
    title: `${line.title}, beside peers at their defaults`,
    beside: peers.map(({ name }) => name),
  }
}

/** The lines beside BullMQ on Redis: as its server is by default, and with a server as durable as a database. */
export function besideRedis(line: Line): readonly Line[] {
  return [
    lineBeside('redis', { ...line, id: `${line.id}.redis` }),
    lineBeside('durableRedis', { ...line, id: `${line.id}.durable-redis` }),
  ]
}

/** The line beside one peer. */
export function lineBeside(peer: keyof typeof PEERS, line: Line): Line {
  const { name } = PEERS[peer]
  return { ...line, title: `${line.title}, beside ${name}`, beside: [name] }
}

/** What the jobs of a scenario cost: CPU seconds for 10,000 of them, of `whose` process and of the server. */
export function cpuLines(id: string, title: string, whose = 'worker'): Line[] {
  return [
    { id: `${id}.cpu`, title: `${title}, CPU of the ${whose} for 10,000 jobs`, figure: 'cpuPer10k', unit: 's' },
    { id: `${id}.server`, title: `${title}, CPU of the server for them`, figure: 'serverPer10k', unit: 's' },
  ]
}

function runsOn(store: ServerName, { script, settings }: Side): boolean {
  const isOnPostgres = ['graphile-worker', 'pg-boss'].includes(script) || settings.backend === 'postgres'
  return store === 'postgres' || !isOnPostgres
}

/** Sidequest has a backend for each server. */
function onServer(store: ServerName, script: string): Settings {
  return script === 'sidequest' ? { backend: store } : {}
}
