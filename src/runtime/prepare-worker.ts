/** How a worker process makes its plan into a Millrace with handlers. */
import { ConfigError } from '../core/errors.ts'
import { loadConfig, type MillraceConfig } from './config.ts'
import { refuseHalfCopy } from './copy-note.ts'
import { loadEntries, loadHandlers } from './handlers.ts'
import { type Handlers, Millrace } from './millrace.ts'
import type { WorkerPlan } from './worker-plan.ts'
import type { Prepared } from './worker-program.ts'

/** Opens the store of a plan, with `more` handlers beside those that it names. Throws `HANDLER_MISSING` when it names none, `COPY_UNFINISHED`. */
export async function prepareWorker(plan: WorkerPlan, more: Handlers = []): Promise<Prepared> {
  const { config, folder } =
    plan.config === undefined ? { config: {}, folder: plan.base } : await loadConfig(plan.config, plan.base)
  const retention = plan.retention ?? config.retention
  // The store is reached while the handlers load.
  const opening = Millrace.open({
    store: plan.store,
    base: plan.base,
    ...(retention !== undefined && { retention }),
    ...(config.encryption !== undefined && { codec: config.encryption }),
  })
  // It may fail before anybody looks, and who cannot work waits for no store.
  opening.catch(() => undefined)
  const handlers = await handlersOf(plan, config, folder).catch((error: unknown) => {
    void opening.then((mill) => mill.close()).catch(() => undefined)
    throw error
  })
  const mill = await opening
  await refuseHalfCopy(mill.store).catch(async (error: unknown) => {
    await mill.close()
    throw error
  })
  const { concurrency, queues } = config
  // A worker of a node neither ends when nothing is left nor counts its jobs: see `withConfigured` of the supervisor.
  const { drain: _, maxJobs: __, ...configured } = config.worker ?? {}
  const options = {
    ...configured,
    ...(concurrency !== undefined && { concurrency }),
    ...(queues !== undefined && { queues }),
    ...plan.options,
  }
  return { mill, handlers: [...handlers, ...more], options }
}

async function handlersOf(plan: WorkerPlan, config: MillraceConfig, folder: string): Promise<Handlers> {
  const fromGlobs = config.handlers === undefined ? [] : await loadHandlers(config.handlers, folder)
  const handlers = [...fromGlobs, ...(await loadEntries(plan.entries))]
  if (handlers.length > 0) return handlers
  throw new ConfigError('HANDLER_MISSING', 'no handlers are configured', {
    hint: 'Run `millrace init`, or name them in millrace.config.ts: handlers: "./jobs/**/*.handler.ts"',
  })
}
