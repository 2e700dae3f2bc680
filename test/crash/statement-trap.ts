/**
 * A trap for this process: SIGKILL at the n-th chance to die, as a power cut or an OOM killer would. Right before each statement
 * is one; where statements travel to a server, right after one was sent is another: whether it was done, nobody hears.
 */
import { WATCHES } from './statement-watch.ts'

export interface StatementTrap {
  /** Chances so far. */
  count(): number
  /** Which of them were right before a commit. */
  readonly commits: readonly number[]
  /** Runs `fn` without counting its statements. */
  quietly<T>(fn: () => Promise<T>): Promise<T>
}

/** Sets the trap for every connection of this process to stores of a kind. `at` 0: only counts. `onSession`: see `Listener`. */
export async function trapStatement(
  kind: keyof typeof WATCHES,
  at: number,
  onSession: (id: number) => void,
): Promise<StatementTrap> {
  let count = 0
  let isQuiet = false
  const commits: number[] = []
  const statement = (isCommit: boolean) => {
    if (isQuiet) return
    if (++count === at) process.kill(process.pid, 'SIGKILL')
    if (isCommit) commits.push(count)
  }
  await WATCHES[kind]({ statement, session: onSession })
  return {
    count: () => count,
    commits,
    async quietly(fn) {
      isQuiet = true
      try {
        return await fn()
      } finally {
        isQuiet = false
      }
    },
  }
}
