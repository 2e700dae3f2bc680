/** The command line: finds the command, runs it, and gives its exit code. Runs nothing when it is imported. */
import type { CommandSpec } from './program.ts'

/** Runs `millrace ARGS` and resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const [{ runProgram }, specs] = await Promise.all([import('./program.ts'), commands()])
  return await runProgram(specs, args)
}

async function commands(): Promise<readonly CommandSpec[]> {
  const modules = await Promise.all([
    import('./commands/init.ts'),
    import('./commands/work.ts'),
    import('./commands/test.ts'),
    import('./commands/job.ts'),
    import('./commands/job-change.ts'),
    import('./commands/queue.ts'),
    import('./commands/dead.ts'),
    import('./commands/doctor.ts'),
    import('./commands/migrate.ts'),
    import('./commands/rekey.ts'),
  ])
  return modules.flatMap((module) => module.COMMANDS)
}
