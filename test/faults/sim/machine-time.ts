/**
 * Takes the machine's time and chance away while a simulated run goes on. The worker and the client ask their clock for time, but
 * for one thing: the next turn of the event loop, `setImmediate`. Here that is a turn of the actor that asks for it. Whoever
 * reaches for the real clock, a real timer or real chance would make a run differ from itself, and is stopped on the spot.
 */
import type { World } from './world.ts'

type Replaced = readonly [target: object, name: string, value: unknown]

/** Runs `work` with the world's time in the place of the machine's. `work` ends within one turn of the machine's event loop. */
export async function withoutMachineTime<T>(world: World, work: () => Promise<T>): Promise<T> {
  const refuse = (what: string) => () => {
    throw new Error(`${what} was asked for in a simulated run`)
  }
  const replaced: readonly Replaced[] = [
    [globalThis, 'setImmediate', (run: () => void) => world.soon(run)],
    [globalThis, 'setTimeout', refuse('a real timer')],
    // A worker at work holds its process with one that does nothing.
    [globalThis, 'setInterval', () => ({})],
    [globalThis, 'clearInterval', () => {}],
    [Date, 'now', refuse('the real time')],
    [Math, 'random', refuse('real chance')],
    [performance, 'now', refuse('the real time')],
    // Thousands of errors are made in a run, and nobody reads where.
    [Error, 'stackTraceLimit', 0],
  ]
  const before = replaced.map(([target, name]) => Object.getOwnPropertyDescriptor(target, name))
  for (const [target, name, value] of replaced)
    Object.defineProperty(target, name, { value, configurable: true, writable: true })
  try {
    return await work()
  } finally {
    for (const [i, [target, name]] of replaced.entries()) {
      const own = before[i]
      if (own === undefined) Reflect.deleteProperty(target, name)
      else Object.defineProperty(target, name, own)
    }
  }
}
