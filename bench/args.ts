/** The command line of the benchmarks. */
import { parseArgs } from 'node:util'
import { DEFAULT_URLS, type StoreName } from './places.ts'
import { names } from './scenarios.ts'

export interface Args {
  readonly store: StoreName
  /** Of the server; each measurement makes a database of its own there. Unused with SQLite. */
  readonly url: string
  readonly quick: boolean
  /** Keys or ids of scenarios; undefined is all. */
  readonly only: readonly string[] | undefined
  readonly repeat: number
  /** Where to append a JSON line for each scenario. */
  readonly json: string | undefined
  /** A recorded file to print instead of measuring. */
  readonly report: string | undefined
}

const USAGE =
  'npm run bench -- --store sqlite|postgres|mysql [--url URL] [--quick] [--only a,d] [--repeat N] [--json FILE] [--report FILE.jsonl]'
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
  const { quick, only, repeat, json, report } = parsed
  const store = STORES[parsed.store]
  if (store === undefined) return `--store ${parsed.store}: there are ${Object.keys(STORES).join(', ')}\n${USAGE}`
  const url = parsed.url ?? (store === 'sqlite' ? '' : DEFAULT_URLS[store])
  if (store !== 'sqlite' && !URL.canParse(url)) return `--url ${url} is not a URL\n${USAGE}`
  if (store === 'sqlite' && url !== '')
    return `--url is for servers; with sqlite each measurement has a file of its own\n${USAGE}`
  const known = names(store)
  const keys = only?.split(',').map((key) => key.trim())
  const unknown = keys?.filter((key) => !known.includes(key)) ?? []
  if (unknown.length > 0) return `--only ${unknown.join(',')}: no such scenario; there are ${known.join(', ')}`
  const times = repeat === undefined ? (quick ? 3 : 5) : Number(repeat)
  if (!Number.isInteger(times) || times < 1) return `--repeat ${repeat}: a whole number from 1 on\n${USAGE}`
  return { store, url, quick, only: keys, repeat: times, json, report }
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
        repeat: { type: 'string' },
        json: { type: 'string' },
        report: { type: 'string' },
      },
    }).values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
