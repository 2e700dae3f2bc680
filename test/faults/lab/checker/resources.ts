/** I16: what processes hold when a run has come to rest, and errors of theirs that reached nobody. */
import type { History } from './history.ts'

/** The connections that a pool opens by and by, and two warm threads with what their modules open. */
const SPARE = 24

/** Processes that hold more than the first of their kind did at the start, and errors that nobody caught. */
export function leftOver({ holdings, uncaught }: History): readonly string[] {
  const { before, after } = holdings
  const held = after.flatMap(({ pid, role, descriptors }) => {
    const first = before.filter((each) => each.role === role).map((each) => each.descriptors)
    if (first.length === 0 || descriptors <= Math.max(...first) + SPARE) return []
    return [`${role} ${pid} holds ${descriptors} descriptors; the first held ${Math.max(...first)}`]
  })
  return [...held, ...uncaught.map((line) => `an error reached nobody: ${line}`)]
}
