/** The flags of Node that a worker's isolates are started with: those that any child has, without what is the worker's own memory. */
import { inheritedFlags } from '../node-flags.ts'

/** Limits and measurements of the worker's heap. */
const OF_WORKER = /^--(max-old-space-size|max_old_space_size|heap|cpu-prof)/

/** The worker's flags that an isolate shares, with its memory limit. */
export function isolateArgs(own: readonly string[], memoryMib: number | undefined): readonly string[] {
  // SIGUSR1 would open the inspector.
  const args = [...inheritedFlags(own, OF_WORKER), '--disable-sigusr1']
  return memoryMib === undefined ? args : [...args, `--max-old-space-size=${memoryMib}`]
}
