/** The command line: finds the command, runs it, and gives its exit code. Runs nothing when it is imported. */
import { EXIT } from './failure.ts'
import type { CommandSpec } from './program.ts'

/** Runs `millrace ARGS` and resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  process.stdout.off('error', endWithReader).on('error', endWithReader)
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

let isOutputGone = false

/**
 * Whoever read our output has gone (`millrace … | head`): a worker stops as when its terminal is closed, the rest is over.
 * The same where it cannot be written, as on a full disk; that is a failure, and said.
 */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (isOutputGone) return
  isOutputGone = true
  if (error.code !== 'EPIPE') {
    console.error(`✕ the output cannot be written: ${error.message}`)
    process.exitCode = EXIT.failed
  }
  if (process.listenerCount('SIGHUP') > 0) process.kill(process.pid, 'SIGHUP')
  else process.exit()
}
