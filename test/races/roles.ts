/** What the processes of a race can be, what each is told and what it has seen in the end. */
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type Child, startChild } from '../support/child.ts'

export type EndKind = 'settle' | 'cancel' | 'expire' | 'reclaim' | 'prune'

export interface Parts {
  /** Makes the tables. */
  readonly migrate: {
    readonly part: Record<string, never>
    readonly saw: { readonly applied: readonly number[]; readonly version: number }
  }
  /** Inserts a child of each parent, in an order of its own. */
  readonly adopt: {
    readonly part: { readonly parentIds: readonly string[]; readonly seed: number }
    readonly saw: {
      readonly children: readonly { readonly id: string; readonly status: string; readonly born: string }[]
    }
  }
  /** Ends each parent, or deletes it where it has ended. */
  readonly end: {
    readonly part: { readonly how: EndKind; readonly parentIds: readonly string[]; readonly seed: number }
    readonly saw: Record<string, never>
  }
  /** Inserts a job with each key. */
  readonly unique: {
    readonly part: { readonly keys: readonly string[] }
    readonly saw: { readonly answers: readonly (readonly [status: string, id: string])[] }
  }
  /** Inserts jobs of every kind, children of its own earlier ones among them. */
  readonly produce: {
    readonly part: { readonly count: number; readonly seed: number }
    readonly saw: { readonly created: readonly string[] }
  }
  /** Claims and settles until it is told to stop; lets some leases run out. */
  readonly work: {
    readonly part: { readonly workerId: string; readonly seed: number }
    readonly saw: { readonly completed: readonly string[] }
  }
  /** Promotes, expires, reclaims, cancels and prunes until it is told to stop. */
  readonly tidy: { readonly part: { readonly seed: number }; readonly saw: { readonly cancelled: number } }
}

/** What one process is to do in a race. */
export interface Task {
  readonly serial: number
  readonly url: string
  readonly role: keyof Parts
  readonly part: unknown
}

export interface Racer<R extends keyof Parts> {
  readonly child: Child
  /** What it saw, when it is done. */
  done(): Promise<Parts[R]['saw']>
}

/** Processes between two races: starting one takes longer than most of its races. */
const idle: Child[] = []
const ends: (() => Promise<void>)[] = []
let serial = 0
// They end with the test file that imports this one.
afterAll(async () => {
  await Promise.all(ends.map((end) => end()))
})

/** Has a process take a role in a race on the store at a URL; it waits for `go`. */
export async function startRacer<R extends keyof Parts>(
  url: string,
  role: R,
  part: Parts[R]['part'],
): Promise<Racer<R>> {
  const child = idle.pop() ?? startChild(join(import.meta.dirname, 'racer.ts'), [], (end) => ends.push(end))
  const task: Task = { serial: ++serial, url, role, part }
  const [ready, done] = [`ready ${task.serial}`, `done ${task.serial} `]
  child.tell(JSON.stringify(task))
  await child.line(ready)
  return {
    child,
    async done() {
      const line = await child.line(done)
      idle.push(child)
      // racer.ts writes the line for the role that it was given.
      return JSON.parse(line.slice(done.length)) as Parts[R]['saw']
    },
  }
}

/** Lets all of them begin at once. */
export function go(racers: readonly Racer<keyof Parts>[]): void {
  for (const { child } of racers) child.tell('go')
}
