/** How a check tells what it found: one line per fault, and exit code 1 when there is one. */
import { resolve } from 'node:path'

/** The folder that holds package.json. */
export const projectRoot = resolve(import.meta.dirname, '..')

/** Prints the warnings and the faults; the process will end with 1 when there is a fault. */
export function finish(faults: readonly string[], warnings: readonly string[] = []): void {
  for (const warning of warnings) console.log(`warning: ${warning}`)
  for (const fault of faults) console.log(fault)
  if (faults.length > 0) process.exitCode = 1
}
