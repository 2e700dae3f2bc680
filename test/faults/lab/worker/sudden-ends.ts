/** Handlers that end their process. */
import type { SuddenEnd } from './kinds.ts'

const ENDS: Readonly<Record<SuddenEnd, () => void>> = {
  'exit 0': () => process.exit(0),
  'exit 1': () => process.exit(1),
  abort: () => process.abort(),
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  'throw in a timer': () =>
    void setTimeout(() => {
      throw new Error('thrown in a timer')
    }),
  'unhandled rejection': () => void Promise.reject(new Error('nobody heard this')),
  'unhandled rejection of undefined': () => void Promise.reject(),
}

/** Ends this process so; the promise never settles. */
export function endProcess(how: SuddenEnd): Promise<never> {
  ENDS[how]()
  return new Promise(() => undefined)
}
