/** `millrace work` with processes of its own: starts the node, tells what happens to it, and acts on signals. */
import { outlastOutput } from '../base/lost-output.ts'
import { healthOfNode } from '../runtime/health.ts'
import type { NodeHandle } from '../runtime/node-handle.ts'
import { type NodeOptions, programFile, startNode, withConfigured } from '../runtime/supervise.ts'
import type { WorkerPlan } from '../runtime/worker-plan.ts'
import type { WorkerOptions } from '../worker/options.ts'
import type { Context } from './context.ts'
import { EXIT, type ExitCode } from './failure.ts'
import { logNode } from './node-log.ts'
import { type NodeSignals, processCount, takeNodeSignals } from './node-signals.ts'
import { clean, say } from './output.ts'
import { endDespiteHandlers } from './signals.ts'
import { watchSources } from './source-watch.ts'
import { type AroundOptions, beginAround } from './work-around.ts'

/** What the worker processes of a command are told. */
export interface CliPlan extends WorkerPlan {
  readonly log: 'pretty' | 'json'
  readonly quiet: boolean
}

/** What `millrace work` was told of its node. */
export interface NodeCommand {
  readonly node: NodeOptions
  readonly worker: Omit<WorkerOptions, 'middleware'>
  readonly log: 'pretty' | 'json'
  readonly around: AroundOptions
  /** Workers are replaced when a file of the app changes. */
  readonly watch: boolean
}

/** Runs a node until it is told to stop. */
export async function runNode(context: Context, command: NodeCommand): Promise<ExitCode> {
  const { path, config } = await context.config()
  const options = withConfigured(command.node, config)
  const { url, base } = await context.storeUrl()
  const plan: CliPlan = {
    store: url,
    base,
    entries: [],
    options: command.worker,
    log: command.log,
    quiet: context.output.quiet,
    ...(path !== null && { config: path }),
  }
  outlastOutput('The node', command.log)
  // All that can be refused is taken before a worker process starts: then nothing has begun.
  const around = await beginAround(command.around)
  let onChange = (_path: string) => {}
  const endWatch = command.watch ? await watchSources(process.cwd(), (path) => onChange(path)) : undefined
  let signals: NodeSignals | undefined
  try {
    const node = await startNode(plan, options, { file: programFile('cli') })
    if (!context.output.quiet) logNode(node, command.log)
    signals = takeNodeSignals(node, command.log, (line) => say(context.output, line))
    around.answerBy(() => healthOfNode(node))
    onChange = reloads(context, node)
    tellStart(context, node, (await context.store()).description)
    if (command.watch) say(context.output, `Watching ${process.cwd()}: a change replaces the workers.`)
    around.tell(context.output)
    await node.done
  } finally {
    endWatch?.()
    await around.end()
    signals?.release()
    // A call to a store that does not answer would hold the process until its deadline.
    if (signals !== undefined) endDespiteHandlers()
  }
  say(context.output, 'Stopped.')
  return signals.exitCode ?? EXIT.ok
}

/** Replaces the workers for what has changed; what changes meanwhile is one more change. */
function reloads(context: Context, node: NodeHandle): (path: string) => void {
  let running: Promise<unknown> | undefined
  let next: string | undefined
  const reload = (path: string) => {
    if (node.isStopping) return
    if (running !== undefined) {
      next = path
      return
    }
    say(context.output, `${clean(path)} has changed: replacing the workers.`)
    running = node.restart(`${path} has changed`, { isHurried: true }).then(() => {
      running = undefined
      const again = next
      next = undefined
      if (again !== undefined) reload(again)
    })
  }
  return reload
}

function tellStart(context: Context, node: NodeHandle, store: string): void {
  say(context.output, `Node ${node.id}: ${processCount(node.size)} on ${store}. Ctrl-C stops it.`)
}
