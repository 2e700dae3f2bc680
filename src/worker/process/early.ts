/**
 * The first worker process of a node, started before the node itself is loaded: it takes as long to load as that, on a core that nobody
 * uses yet. It waits for its plan, and ends without having done anything when there is to be no node.
 */
import { type Launched, launch, type Program } from './launch.ts'

let early: Launched | undefined

/** Starts it, and kills it at the end of this process if nobody has taken it. Undefined where the system gives none. */
export function startEarly(program: Program): Launched | undefined {
  try {
    early = launch(program, 'early')
  } catch {
    return undefined // Whoever wants it then starts one, and tells the cause.
  }
  const { child } = early
  // What it ends with is looked at by who takes it. Until then it holds nobody.
  child.on('error', () => undefined)
  child.unref()
  child.channel?.unref()
  process.once('exit', () => early?.child.kill('SIGKILL'))
  return early
}

/** Gives it away, once. Undefined: there is none, or it has ended. */
export function takeEarly(): Launched | undefined {
  const taken = early
  early = undefined
  if (taken === undefined) return undefined
  const { child, list } = taken
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null || !child.connected) {
    list.close()
    return undefined
  }
  child.ref()
  child.channel?.ref()
  return taken
}
