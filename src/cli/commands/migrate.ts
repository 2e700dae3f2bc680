/** `millrace migrate up | status`. */
import { MillraceError } from '../../core/errors.ts'
import { createStore } from '../../runtime/store-url.ts'
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
    ],
    summary: 'bring the tables to the latest version, or show which they have',
    run: (context, [what = 'up']) => {
      if (what === 'up' || what === 'status') return migrate(context, what === 'up')
      throw new MillraceError('USAGE', `migrate ${what} is neither up nor status`, {
        fields: { what },
        hint: 'Write: millrace migrate, or millrace migrate status',
      })
    },
  },
]

async function migrate(context: Context, apply: boolean): Promise<ExitCode> {
  const { url, base } = await context.storeUrl()
  const store = await createStore(url, base)
  await store.open()
  try {
    const applied = apply ? await store.migrate() : []
    const { current, latest } = await store.schemaVersion()
    if (context.output.json) printJson({ store: store.description, current, latest, applied })
    else if (applied.length > 0)
      say(context.output, `${store.description}: from version ${current - applied.length} to ${current}.`)
    else if (current === latest) say(context.output, `${store.description}: version ${current}, the latest.`)
    else say(context.output, `${store.description}: version ${current} of ${latest}. Run: millrace migrate`)
    return current === latest ? EXIT.ok : EXIT.check
  } finally {
    await store.close()
  }
}
