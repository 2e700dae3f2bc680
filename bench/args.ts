/** The command line of the benchmarks. */
import { parseArgs } from 'node:util'
import { DEFAULT_URLS, type StoreName } from './places.ts'
import { isNamed, names, peerNames, scenarios } from './scenarios.ts'

export interface Args {
  readonly store: StoreName
  /** Of the server; each measurement makes a database of its own there. Unused with SQLite. */
  readonly url: string
  readonly quick: boolean
  /** Keys or ids of scenarios, or ids of lines; undefined is all. */
  readonly only: readonly string[] | undefined
  /** The peers to measure beside Millrace; undefined is all. */
  readonly beside: readonly string[] | undefined
  readonly repeat: number
  /** Where to append a JSON line for each scenario. */
  readonly json: string | undefined
  /** A recorded file to print instead of measuring. */
  readonly report: string | undefined
}

const USAGE =
  'npm run bench -- --store sqlite|postgres|mysql [--url URL] [--quick] [--only a,d] [--beside PEER,PEER] [--repeat N] [--json FILE] [--report FILE.jsonl]'
const STORES: Readonly<Record<string, StoreName>> = {
  sqlite: 'sqlite',
  postgres: 'postgres',
  mysql: 'mysql',
  mariadb: 'mysql',
}

/** The arguments, checked, or one sentence that says what is wrong with them. */
export function argsOf(given: readonly string[]): Args | string {
  const parsed = parse(given)
  if (typeof parsed === 'string') return `${parsed}\n${USAGE}`
  const { quick, only, beside, repeat, json, report } = parsed
  const store = STORES[parsed.store]
  if (store === undefined) return `--store ${parsed.store}: there are ${Object.keys(STORES).join(', ')}\n${USAGE}`
  const url = parsed.url ?? (store === 'sqlite' ? '' : DEFAULT_URLS[store])
  if (store !== 'sqlite' && !URL.canParse(url)) return `--url ${url} is not a URL\n${USAGE}`
  if (store === 'sqlite' && url !== '')
    return `--url is for servers; with sqlite each measurement has a file of its own\n${USAGE}`
  const keys = listed(only)
  const all = scenarios(store, true)
  const unknown = keys?.filter((key) => !all.some((scenario) => isNamed(scenario, key))) ?? []
  if (unknown.length > 0) return `--only ${unknown.join(',')}: no such scenario; there are ${names(store).join(', ')}`
  const peers = peerNames(store)
  const chosen = listed(beside)
  const strangers = chosen?.filter((peer) => !peers.includes(peer)) ?? []
  if (strangers.length > 0) return `--beside ${strangers.join(',')}: no such peer here; there are ${peers.join(', ')}`
  const times = repeat === undefined ? (quick ? 3 : 5) : Number(repeat)
  if (!Number.isInteger(times) || times < 1) return `--repeat ${repeat}: a whole number from 1 on\n${USAGE}`
  return { store, url, quick, only: keys, beside: chosen, repeat: times, json, report }
}

function listed(names: string | undefined): readonly string[] | undefined {
  return names?.split(',').map((name) => name.trim())
}

function parse(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      options: {
        store: { type: 'string', default: 'sqlite' },
        url: { type: 'string' },
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        beside: { type: 'string' },
        repeat: { type: 'string' },
        json: { type: 'string' },
        report: { type: 'string' },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
