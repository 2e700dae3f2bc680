/** `millrace migrate up | status | plan`. */
import { MillraceError } from '../../core/errors.ts'
import type { MigrationStep, SchemaVersion, Store } from '../../store/contract/index.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { lacksFile } from '../store-file.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'migrate',
    aliases: ['queue:migrate'],
    args: '[what]',
    options: [
      ['--from <version>', 'plan: only the steps after this version'],
      ['--missing', 'plan: look at the store, and print only the steps that it lacks'],
    ],
    examples: [
      'millrace migrate up              # brings the tables to the latest version',
      'millrace migrate status          # only looks; ends with 7 when they are older',
      'millrace migrate plan            # prints the SQL for an empty store',
      'millrace migrate plan --missing  # prints the SQL that up would run',
    ],
    summary: 'up: bring the tables to the latest version; status: say which they have; plan: print the SQL',
    run: (context, [what = 'up'], options) => {
      const isPlan = what === 'plan'
      const flag = ['from', 'missing'].find((name) => options[name] !== undefined)
      if (flag !== undefined && !isPlan) throw wrong(`--${flag} belongs to migrate plan`, { flag })
      if (what === 'up') return up(context)
      if (what === 'status') return status(context)
      if (isPlan) return printPlan(context, options)
      throw wrong(`migrate ${what} is none of up, status and plan`, { what })
    },
  },
]

async function up(context: Context): Promise<ExitCode> {
  const store = await context.store()
  const [applied, version] = await opened(store, async () => [await store.migrate(), await store.schemaVersion()])
  if (context.output.json) printJson({ store: store.description, ...version, applied })
  else if (applied.length > 0)
    say(context.output, `${store.description}: from version ${(applied[0] ?? 1) - 1} to ${version.current}.`)
  else tellVersion(context, store, version)
  return EXIT.ok
}

async function status(context: Context): Promise<ExitCode> {
  const store = await context.store()
  // A file that is not there is as empty as a new one.
  const version = (await lacksFile(store))
    ? { current: 0, latest: (await store.plan(0)).length, oldest: 0 }
    : await opened(store, () => store.schemaVersion())
  if (context.output.json) printJson({ store: store.description, ...version })
  else tellVersion(context, store, version)
  return version.current >= version.latest ? EXIT.ok : EXIT.check
}

/** Without `--missing` nothing is opened: whoever may not reach the database gets the SQL as well. */
async function printPlan(context: Context, options: Readonly<Record<string, unknown>>): Promise<ExitCode> {
  const { output } = context
  const store = await context.store()
  const all = await store.plan(0)
  const isLooking = options.missing === true
  if (isLooking && options.from !== undefined) throw wrong('--from and --missing do not go together', { flag: 'from' })
  const from = fromOf(options.from, all.length)
  const isReached = isLooking && !(await lacksFile(store))
  const steps = isReached ? await opened(store, () => store.plan()) : all.slice(from)
  if (output.json) printJson({ store: store.description, latest: all.length, steps })
  else {
    if (steps.length > 0) console.log(steps.map(scriptOf).join('\n'))
    say(output, `${store.description}: ${planText(steps, isLooking, from)}`)
  }
  return EXIT.ok
}

function planText(steps: readonly MigrationStep[], isLooking: boolean, from: number): string {
  const last = steps.at(-1)
  if (last === undefined) return isLooking || from > 0 ? 'no step is missing.' : 'it has no tables to make.'
  if (isLooking) return `this is what it lacks to version ${last.version}.`
  const start = from === 0 ? 'an empty store' : `version ${from}`
  return `the SQL from ${start} to version ${last.version}. It was not looked at: for what it lacks add --missing.`
}

/** A version that there is: 0 to the latest. */
function fromOf(value: unknown, latest: number): number {
  const text = String(value ?? 0)
  if (/^\d+$/.test(text) && Number(text) <= latest) return Number(text)
  throw wrong(`--from is ${text}; it must be a version from 0 to ${latest}`, { from: text })
}

/** Opens the store without migrating it, and closes it whatever happens. */
async function opened<T>(store: Store, act: () => Promise<T>): Promise<T> {
  await store.open()
  return await act().finally(() => store.close())
}

function scriptOf({ version, statements }: MigrationStep): string {
  return [`-- Millrace: version ${version}`, ...statements.map((statement) => `${statement};`), ''].join('\n')
}

function tellVersion({ output }: Context, { description }: Store, { current, latest }: SchemaVersion): void {
  if (current < latest) say(output, `${description}: version ${current} of ${latest}. Run: millrace migrate up`)
  else if (current === latest) say(output, `${description}: version ${current}, the latest.`)
  else say(output, `${description}: version ${current}, newer than the ${latest} of this Millrace, which may go on.`)
}

function wrong(message: string, fields: Readonly<Record<string, unknown>>): MillraceError {
  return new MillraceError('USAGE', message, {
    fields,
    hint: 'Write: millrace migrate up, millrace migrate status, or millrace migrate plan',
  })
}
