/** The command line of the example. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface Args {
  readonly root: string
  readonly out: string
  /** The store's URL as it was given; undefined: see store.ts. */
  readonly store: string | undefined
  readonly json: boolean
}

export const USAGE = `npm start -- [FOLDER] [--out DIR] [--store URL] [--json]
  FOLDER      what to index; default: this project with its installed packages
  --out DIR   where report.json and report.html go; default ./folder-index
  --store URL where the jobs are kept: sqlite:PATH, postgres://… or mysql://…; else MILLRACE_STORE, which is the place for a
              URL with a password, since npm prints its command line; else sqlite:DIR/index.db
  --json      print the summary as JSON and nothing else on stdout (npm has its own lines: npm start --silent -- --json)`

/** What `readArgs` gives when it is asked how the example is called. */
export const HELP = 'help'

/** What was asked for, `help`, or one line about what is wrong with it. */
export function readArgs(words: readonly string[], projectRoot: string): Args | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        store: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help) return HELP
    if (positionals.length > 1) return `one folder at a time, not ${positionals.length}`
    const root = resolve(positionals[0] ?? projectRoot)
    if (!existsSync(root)) return `there is no folder ${root}`
    if (!statSync(root).isDirectory()) return `${root} is not a folder`
    return { root, out: resolve(values.out ?? 'folder-index'), store: values.store, json: values.json === true }
  } catch (error) {
    return error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
  }
}
