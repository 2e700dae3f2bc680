/** `millrace migrate up | status | plan`. */
import { access } from 'node:fs/promises'
import { MillraceError } from '../../core/errors.ts'
import { createStore } from '../../runtime/store-url.ts'
import type { MigrationStep, SchemaVersion, Store } from '../../store/contract/index.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'migrate',
    aliases: ['queue:migrate'],
    args: '[what]',
    examples: [
      'millrace migrate          # up: brings them to the latest version',
      'millrace migrate status   # only looks; ends with 7 when they are older',
      'millrace migrate plan     # prints the SQL that up would run, changes nothing',
    ],
    summary: 'bring the tables to the latest version, show which they have, or print the SQL',
    run(context, [what = 'up']) {
      if (what === 'up') return onStore(context, up)
      if (what === 'status' || what === 'plan') return onStore(context, what === 'plan' ? printPlan : status, true)
      throw new MillraceError('USAGE', `migrate ${what} is none of up, status and plan`, {
        fields: { what },
        hint: 'Write: millrace migrate up, millrace migrate status, or millrace migrate plan',
      })
    },
  },
]

type Act = (context: Context, store: Store, description: string) => Promise<ExitCode>

/** Opens the store without migrating it. What only looks makes no file: one that is not there is as empty as a new one. */
async function onStore(context: Context, act: Act, onlyLooks = false): Promise<ExitCode> {
  const { url, base } = await context.storeUrl()
  const named = await createStore(url, base)
  const path = /^sqlite (.+)$/.exec(named.description)?.[1]
  const isMissing = path !== undefined && path !== ':memory:' && (await isNotThere(path))
  const store = onlyLooks && isMissing ? await createStore('sqlite::memory:') : named
  await store.open()
  try {
    return await act(context, store, named.description)
  } finally {
    await store.close()
  }
}

async function up(context: Context, store: Store, description: string): Promise<ExitCode> {
  const applied = await store.migrate()
  const version = await store.schemaVersion()
  if (context.output.json) printJson({ store: description, ...version, applied })
  else if (applied.length > 0)
    say(context.output, `${description}: from version ${(applied[0] ?? 1) - 1} to ${version.current}.`)
  else tellVersion(context, description, version)
  return EXIT.ok
}

async function status(context: Context, store: Store, description: string): Promise<ExitCode> {
  const version = await store.schemaVersion()
  if (context.output.json) printJson({ store: description, ...version })
  else tellVersion(context, description, version)
  return version.current >= version.latest ? EXIT.ok : EXIT.check
}

async function printPlan(context: Context, store: Store, description: string): Promise<ExitCode> {
  const version = await store.schemaVersion()
  const steps = await store.plan()
  if (context.output.json) printJson({ store: description, ...version, steps })
  else {
    if (steps.length > 0) console.log(steps.map(scriptOf).join('\n'))
    tellVersion(context, description, version)
  }
  return EXIT.ok
}

function scriptOf({ version, statements }: MigrationStep): string {
  return [`-- Millrace: version ${version}`, ...statements.map((statement) => `${statement};`), ''].join('\n')
}

function tellVersion({ output }: Context, description: string, { current, latest }: SchemaVersion): void {
  if (current < latest) say(output, `${description}: version ${current} of ${latest}. Run: millrace migrate`)
  else if (current === latest) say(output, `${description}: version ${current}, the latest.`)
  else say(output, `${description}: version ${current}, newer than the ${latest} of this Millrace, which may go on.`)
}

function isNotThere(path: string): Promise<boolean> {
  return access(path).then(
    () => false,
    () => true,
  )
}
