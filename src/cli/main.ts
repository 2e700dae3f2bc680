/** The command line: finds the command, runs it, and gives its exit code. Runs nothing when it is imported. */
import { EXIT } from './failure.ts'
import { endWithOutput } from './lost-output.ts'
import type { CommandSpec } from './program.ts'

/** Runs `millrace ARGS` and resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  endWithOutput(EXIT.failed)
  const [{ runProgram }, specs] = await Promise.all([import('./program.ts'), commands(firstWord(args))])
  return await runProgram(specs, args)
}

async function commands(word: string | undefined): Promise<readonly CommandSpec[]> {
  // A worker that starts is waited for; whoever types another command needs every name for help and suggestions.
  if (word === 'work' || word === 'queue:work') return (await import('./commands/work.ts')).COMMANDS
  const modules = await Promise.all([
    import('./commands/init.ts'),
    import('./commands/work.ts'),
    import('./commands/test.ts'),
    import('./commands/job-list.ts'),
    import('./commands/job.ts'),
    import('./commands/job-change.ts'),
    import('./commands/queue.ts'),
    import('./commands/dead.ts'),
    import('./commands/doctor.ts'),
    import('./commands/migrate.ts'),
    import('./commands/rekey.ts'),
    import('./commands/store.ts'),
    import('./commands/worker.ts'),
  ])
  return modules.flatMap((module) => module.COMMANDS)
}

/** The first argument that is neither a flag nor the value of one. */
function firstWord(args: readonly string[]): string | undefined {
  const valued = new Set(['--store', '--config', '-c'])
  return args.find((arg, i) => !arg.startsWith('-') && !valued.has(args[i - 1] ?? ''))
}
