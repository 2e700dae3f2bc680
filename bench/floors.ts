/** What each line must reach (floor) and what we are after (goal), as data. */

import type { StoreName } from './places.ts'

export interface Bound {
  /** The line's id in bench/scenarios.ts. */
  readonly line: string
  /** Whether the ratio to the sides that the line is compared with is bound, or the value itself. */
  readonly of: 'ratio' | 'value'
  /** Whether it must be at least the floor or at most. */
  readonly sense: 'least' | 'most'
  readonly floor: number
  /** Equal to the floor where there is nothing beyond it. */
  readonly goal: number
}

/** How a figure stands to its bound. */
export type Verdict = 'goal' | 'floor' | 'missed' | 'unknown'

/** Of `millrace work --processes` and isolates, on every store. */
const NODE: readonly Bound[] = [
  most('n-start', 500),
  least('n-rolling', 0.9),
  ratio('n-recycle', 0.9),
  ratio('n-compute', 1.8),
  most('isolate-thread', 1),
  most('isolate-process', 5),
]
/** Where the store's driver is not the larger part of it. */
const NODE_MEMORY: readonly Bound[] = [most('n-memory.idle', 42), most('n-memory.after', 50)]

const SQLITE: readonly Bound[] = [
  ratio('a', 0.5, 0.8),
  ratio('b', 3, 5),
  ratio('c', 0.8, 1.2),
  ratio('d1', 4, 8),
  ratio('d10', 4, 8),
  ratio('d100', 5, 10),
  ratio('full', 0.5),
  most('e.p50', 2.5, 1.2),
  most('e.p99', 10, 5),
  most('e.cpu', 0.5),
  most('e-full.p50', 2.5, 1.2),
  most('e-full.p99', 10, 5),
  most('e-full.cpu', 0.5),
  ratio('h', 3, 5),
  atMostTimes('h.p99', 1),
  most('f-library', 200, 120),
  most('f-work', 400, 250),
  most('f-memory.idle', 10, 6),
  most('f-memory.after', 30, 20),
  ratio('i-waiting', 0.8),
  ratio('i-kept', 0.8),
  most('busy.p99', 10),
  most('crowd.p99', 60),
  most('crowd.longest', 500),
  // A wait is any wait: that of the producer for its answer, and that of the job for its handler.
  most('crowd.pickup.p99', 60),
  most('crowd.pickup.longest', 500),
  most('crowd.errors', 0),
  // "No process starved": the slowest has at least a tenth of what the mean has.
  least('crowd.share', 0.1),
  most('payload.delay', 50),
  ...NODE,
  ...NODE_MEMORY,
]

const POSTGRES: readonly Bound[] = [
  atMostTimes('a.p50', 1),
  ratio('b', 15, 30),
  ratio('b.redis', 1.5, 2.5),
  ratio('b.durable-redis', 1.5, 2.5),
  ratio('c', 1, 1.4),
  ratio('d100-gone', 1.2, 1.6),
  ratio('d10-gone', 1.1, 1.5),
  ratio('d1-gone', 1.1, 1.5),
  ratio('d100-kept.graphile', 0.8, 1.1),
  ratio('d100-kept.boss', 1.1, 1.5),
  ratio('d100-kept.redis', 1.8, 2.5),
  ratio('d100-kept.durable-redis', 1.8, 2.5),
  atMostTimes('e.p50', 1),
  atMostTimes('e.p99', 1),
  ratio('h', 8, 15),
  ratio('h.redis', 0.8, 1.3),
  ratio('h.durable-redis', 0.8, 1.3),
  atMostTimes('load.p99', 1),
  most('f-memory.idle', 15, 12),
  most('f-memory.after', 35, 25),
  ratio('fleet', 1),
  most('fleet.errors', 0),
  ratio('i-waiting', 0.8),
  ratio('i-kept', 0.8),
  ...NODE,
  ...NODE_MEMORY,
]

const MYSQL: readonly Bound[] = [
  atMostTimes('a.p50', 0.5),
  ratio('b', 15, 35),
  least('c', 30_000, 50_000),
  ratio('d100-gone', 40, 80),
  ratio('d100-gone.redis', 1, 2),
  ratio('d100-gone.durable-redis', 1, 2),
  ratio('d10-gone', 50, 200),
  ratio('d1-gone', 50, 200),
  ratio('d100-kept.sidequest', 30, 60),
  most('e.p50', 8),
  most('e.p99', 30),
  most('e.cpu', 1),
  ratio('h', 20, 40),
  atMostTimes('load.p99', 0.2),
  most('f-memory.idle', 28, 25),
  most('f-memory.after', 45, 35),
  ratio('fleet', 1),
  most('fleet.errors', 0),
  ratio('i-waiting', 0.8),
  ratio('i-kept', 0.8),
  ...NODE,
]

/** The bounds of each store. */
export const FLOORS: Readonly<Record<StoreName, readonly Bound[]>> = {
  sqlite: SQLITE,
  postgres: POSTGRES,
  mysql: MYSQL,
}

/** How a figure stands to its bound. */
export function verdictOf(bound: Bound, figure: number): Verdict {
  if (Number.isNaN(figure)) return 'unknown'
  const reaches = (limit: number) => (bound.sense === 'least' ? figure >= limit : figure <= limit)
  if (reaches(bound.goal)) return 'goal'
  return reaches(bound.floor) ? 'floor' : 'missed'
}

function ratio(line: string, floor: number, goal = floor): Bound {
  return { line, of: 'ratio', sense: 'least', floor, goal }
}

function least(line: string, floor: number, goal = floor): Bound {
  return { line, of: 'value', sense: 'least', floor, goal }
}

function atMostTimes(line: string, floor: number): Bound {
  return { line, of: 'ratio', sense: 'most', floor, goal: floor }
}

function most(line: string, floor: number, goal = floor): Bound {
  return { line, of: 'value', sense: 'most', floor, goal }
}
