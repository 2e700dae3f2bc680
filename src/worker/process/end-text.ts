/** How a worker process ended, in words. */
import type { ProcessEnd } from './worker-process.ts'

/** Says why a process is gone: by its own word if it left one, else by what the system tells. */
export function endText({ code, signal, isDrained, failure }: ProcessEnd, killedFor: string | undefined): string {
  if (failure !== undefined) return `${failure.message} (${failure.code})`
  if (killedFor !== undefined) return `was killed: ${killedFor}`
  if (isDrained) return 'stopped in good order'
  if (signal !== null) return SIGNALS[signal] ?? `was ended by ${signal}`
  return code === 0 ? 'exited with 0 in the midst of its work' : `exited with ${code}`
}

const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGKILL: 'was killed (SIGKILL): by somebody, or by the system for want of memory',
  SIGABRT: 'aborted (SIGABRT): out of heap memory, or a native failure',
  SIGSEGV: 'crashed (SIGSEGV) in native code',
  SIGBUS: 'crashed (SIGBUS) in native code',
  SIGILL: 'crashed (SIGILL) in native code',
  SIGTRAP: 'crashed (SIGTRAP): out of memory, or a failed check of V8',
}
