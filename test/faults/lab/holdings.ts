/** What the workers of a run hold of the system: the descriptors of open files, connections, pipes and timers of the kernel. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Child } from '../../support/child.ts'

/** What one process holds. */
export interface Holding {
  readonly pid: number
  /** `node`: a supervisor. `worker`: a process of its. `alone`: a worker without one. */
  readonly role: 'node' | 'worker' | 'alone'
  readonly descriptors: number
}

/** Of a run: what its first workers held when they began to work, and what those that are there hold in the end. */
export interface Holdings {
  readonly before: readonly Holding[]
  readonly after: readonly Holding[]
}

/** What a worker, or a node and its workers, hold now. A process that is over holds nothing. */
export function holdingsOf({ pid, isOver }: Pick<Child, 'pid' | 'isOver'>): readonly Holding[] {
  const descriptors = isOver ? null : descriptorsOf(pid)
  if (descriptors === null) return []
  const workers = childrenOf(pid).filter((child) => !isHelper(child))
  const own: Holding = { pid, role: workers.length > 0 ? 'node' : 'alone', descriptors }
  return [
    own,
    ...workers.flatMap((child): Holding[] => {
      const held = descriptorsOf(child)
      return held === null ? [] : [{ pid: child, role: 'worker', descriptors: held }]
    }),
  ]
}

/** What a process said of errors that nothing in it caught: the words of a supervised worker, or Node's last line. */
export function uncaughtIn(stderr: string): readonly string[] {
  return stderr.split('\n').filter((line) => /^an? (?:error|rejection) that no handler caught|^Node\.js v\d/.test(line))
}

/** An isolate of a worker, or the guard that ends what its isolates leave behind. */
function isHelper(pid: number): boolean {
  return /^millrace isolate|millrace-guard/.test(readProc(`${pid}/cmdline`) ?? '')
}

/** The processes that this one has started. */
export function childrenOf(pid: number): readonly number[] {
  const children = readProc(`${pid}/task/${pid}/children`)?.trim() ?? ''
  return children === '' ? [] : children.split(' ').map(Number)
}

function descriptorsOf(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return null // It has ended meanwhile, or is another user's.
  }
}

function readProc(path: string): string | null {
  try {
    return readFileSync(`/proc/${path}`, 'latin1')
  } catch {
    return null // It has ended meanwhile.
  }
}
