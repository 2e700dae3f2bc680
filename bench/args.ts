/** The command line of the benchmarks. */
import { parseArgs } from 'node:util'
import { names } from './scenarios.ts'

export interface Args {
  readonly quick: boolean
  /** Keys or ids of scenarios; undefined is all. */
  readonly only: readonly string[] | undefined
  readonly repeat: number
  /** Where to append a JSON line for each scenario. */
  readonly json: string | undefined
  /** A recorded file to print instead of measuring. */
  readonly report: string | undefined
}

const USAGE = 'npm run bench -- --store sqlite [--quick] [--only a,d] [--repeat N] [--json FILE] [--report FILE.jsonl]'

/** The arguments, checked, or one sentence that says what is wrong with them. */
export function argsOf(given: readonly string[]): Args | string {
  const parsed = parse(given)
  if (typeof parsed === 'string') return `${parsed}\n${USAGE}`
  const { store, quick, only, repeat, json, report } = parsed
  if (store !== 'sqlite') return `--store ${store}: only sqlite is measured yet\n${USAGE}`
  const keys = only?.split(',').map((key) => key.trim())
  const unknown = keys?.filter((key) => !names().includes(key)) ?? []
  if (unknown.length > 0) return `--only ${unknown.join(',')}: no such scenario; there are ${names().join(', ')}`
  const times = repeat === undefined ? (quick ? 3 : 5) : Number(repeat)
  if (!Number.isInteger(times) || times < 1) return `--repeat ${repeat}: a whole number from 1 on\n${USAGE}`
  return { quick, only: keys, repeat: times, json, report }
}

function parse(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      options: {
        store: { type: 'string', default: 'sqlite' },
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
