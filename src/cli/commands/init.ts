/** `millrace init`: a configuration and a first job, in the folder one stands in. Changes nothing that is there. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'init',
    summary: 'write a configuration and a first job here',
    examples: ['millrace init --yes', 'millrace init && millrace work'],
    run: init,
  },
]

const CONFIG = `import { defineConfig } from 'millrace'

export default defineConfig({
  store: 'sqlite:./millrace.db', // MILLRACE_STORE and --store win over it
  handlers: './jobs/**/*.handler.{ts,js}',
  concurrency: 10,
  retention: { completed: '7d', failed: '30d' },
})
`
const HELLO = (types: boolean) => `import { defineJob } from 'millrace'

export default defineJob({
  name: 'hello',
  run: async (input${types ? ': { name: string }' : ''}, job) => {
    job.log(\`greeting \${input.name}\`)
    return { text: \`hello, \${input.name}\` }
  },
})
`
const IGNORED = 'millrace.db*'

async function init(context: Context): Promise<ExitCode> {
  const folder = process.cwd()
  const isTyped =
    existsSync(resolve(folder, 'tsconfig.json')) || !existsSync(resolve(folder, 'package.json')) || usesModules(folder)
  const ending = isTyped ? 'ts' : 'mjs'
  const files: readonly (readonly [path: string, text: string])[] = [
    [`millrace.config.${ending}`, isTyped ? CONFIG : CONFIG.replace('{ts,js}', 'mjs')],
    [`jobs/hello.handler.${ending}`, HELLO(isTyped)],
  ]
  const missing = files.filter(([path]) => !existsSync(resolve(folder, path)))
  const ignores = !ignored(folder)
  const plan = [...missing.map(([path]) => path), ...(ignores ? [`.gitignore (${IGNORED})`] : [])]
  if (plan.length === 0) {
    say(context.output, 'Everything is here already. Next: millrace work')
    if (context.output.json) printJson({ written: [] })
    return EXIT.ok
  }
  if (!(await agreed(context, plan))) return EXIT.refused
  for (const [path, text] of missing) {
    mkdirSync(dirname(resolve(folder, path)), { recursive: true })
    writeFileSync(resolve(folder, path), text, { flag: 'wx' })
  }
  if (ignores) appendFileSync(resolve(folder, '.gitignore'), `${IGNORED}\n`)
  if (context.output.json) printJson({ written: plan })
  else tell(context, plan)
  return EXIT.ok
}

/** Asks on a terminal; elsewhere, and with --yes, it goes on: nothing that exists is changed. */
async function agreed(context: Context, plan: readonly string[]): Promise<boolean> {
  if (!context.isAsking) return true
  const { confirm, isCancel, note } = await import('@clack/prompts')
  note(plan.join('\n'), 'will be written')
  const answer = await confirm({ message: 'Go on?' })
  return !isCancel(answer) && answer
}

function tell(context: Context, plan: readonly string[]): void {
  for (const path of plan) say(context.output, `+ ${path}`)
  say(
    context.output,
    `
Next
${isInstalled() ? '' : '  npm install millrace\n'}  npx millrace job add hello --data '{ "name": "world" }'
  npx millrace work`,
  )
}

/** Whether files of this folder can import the package; run by `npx -p`, it is elsewhere. */
function isInstalled(): boolean {
  let folder = process.cwd()
  while (!existsSync(resolve(folder, 'node_modules/millrace'))) {
    if (dirname(folder) === folder) return false
    folder = dirname(folder)
  }
  return true
}

/** A package without \`"type": "module"\` and without TypeScript gets files that are modules by their ending. */
function usesModules(folder: string): boolean {
  try {
    return JSON.parse(readFileSync(resolve(folder, 'package.json'), 'utf8')).type === 'module'
  } catch {
    // Not JSON: whatever it is, it does not say that its files are modules.
    return false
  }
}

function ignored(folder: string): boolean {
  const path = resolve(folder, '.gitignore')
  return existsSync(path) && readFileSync(path, 'utf8').split('\n').includes(IGNORED)
}
