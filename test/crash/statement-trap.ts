/** A trap for this process: SIGKILL right before its n-th SQL statement, as a power cut or an OOM killer would. */
import { DatabaseSync, StatementSync } from 'node:sqlite'

export interface StatementTrap {
  /** Statements so far. */
  count(): number
  /** Which of them were commits. */
  readonly commits: readonly number[]
  /** Runs `fn` without counting its statements. */
  quietly<T>(fn: () => Promise<T>): Promise<T>
}

/** Sets the trap for every connection of this process. 0: only counts. */
export function trapStatement(at: number): StatementTrap {
  let count = 0
  let isQuiet = false
  const commits: number[] = []
  const tick = (sql: string) => {
    if (isQuiet) return
    if (++count === at) process.kill(process.pid, 'SIGKILL')
    if (sql === 'COMMIT') commits.push(count)
  }
  for (const name of ['run', 'get', 'all'] as const) {
    const original: (...values: never[]) => unknown = StatementSync.prototype[name]
    Object.assign(StatementSync.prototype, {
      [name](this: StatementSync, ...values: never[]) {
        tick(this.sourceSQL)
        return original.apply(this, values)
      },
    })
  }
  const exec = DatabaseSync.prototype.exec
  DatabaseSync.prototype.exec = function (sql) {
    // A text of many statements, like a migration, is as many chances to die.
    for (const one of sql.split(/;\s*(?=\n|PRAGMA|$)/).filter((part) => part.trim() !== '')) {
      tick(one)
      exec.call(this, one)
    }
  }
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
