/** The command line of `npm run faults`. */
import { parseArgs } from 'node:util'
import { ELSEWHERE } from './elsewhere.ts'
import type { Size } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'

/** What is to be run. */
export interface Order {
  readonly store: string
  /** Names of scenarios, or `all`. */
  readonly scenarios: readonly string[] | 'all'
  /** Each scenario is run again until this time has passed. */
  readonly minutes: number
  readonly seed: number
  readonly size: Size
  /** The file of results, a JSON line for each scenario. */
  readonly out: string
}

/** What was asked for: a run, the list, or what is wrong with the question. */
export type Asked =
  | { readonly kind: 'run'; readonly order: Order }
  | { readonly kind: 'list' }
  | { readonly kind: 'wrong'; readonly said: string }

const USAGE = `npm run faults -- --store sqlite|postgres|mysql|URL --scenario NAME[,NAME]|all [--minutes M] [--seed S] [--short] [--out FILE]
npm run faults -- --list`
const OUT = 'tmp/faults.jsonl'

/** Reads the arguments. `freshSeed`: for runs that name none. */
export function asked(args: readonly string[], freshSeed: number): Asked {
  const given = parsed(args)
  if (typeof given === 'string') return wrong(given)
  if (given.list) return { kind: 'list' }
  const { store, scenario, out, short } = given
  if (store === undefined || scenario === undefined) return wrong('--store and --scenario say what to run')
  const names = scenario.split(',').map((name) => name.trim())
  const known = new Set([...SCENARIOS, ...ELSEWHERE].map(({ name }) => name))
  const unknown = names.filter((name) => name !== 'all' && !known.has(name))
  if (unknown.length > 0) return wrong(`there is no scenario ${unknown.join(', ')}; there are ${[...known].join(', ')}`)
  const minutes = Number(given.minutes)
  if (!(minutes >= 0)) return wrong(`--minutes ${given.minutes} is no time`)
  const seed = given.seed === undefined ? freshSeed : Number(given.seed)
  if (!Number.isSafeInteger(seed)) return wrong(`--seed ${given.seed} is no whole number`)
  const scenarios = names.includes('all') ? ('all' as const) : names
  return { kind: 'run', order: { store, scenarios, minutes, seed, size: short ? 'short' : 'long', out } }
}

function wrong(said: string): Asked {
  return { kind: 'wrong', said: `${said}\n${USAGE}` }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        store: { type: 'string' },
        scenario: { type: 'string' },
        minutes: { type: 'string', default: '1' },
        seed: { type: 'string' },
        out: { type: 'string', default: OUT },
        short: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
