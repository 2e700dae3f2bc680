/** The kinds of job that a worker can run, by name. An own-property Map: `constructor` is no handler. */
import { ConfigError } from '../core/errors.ts'
import type { JobDefinition } from './define-job.ts'
import { type BoundHandler, bind } from './handle.ts'

/** The handlers of one worker. */
export class Registry {
  readonly #handlers = new Map<string, BoundHandler>()

  constructor(items: readonly (BoundHandler | JobDefinition<never, unknown, unknown>)[]) {
    if (!Array.isArray(items)) {
      throw new ConfigError('HANDLER_MISSING', 'the handlers are not a list', { hint: 'Write mill.work([resize]).' })
    }
    for (const item of items) {
      const handler = bind(item)
      for (const name of [handler.definition.name, ...handler.definition.aliases]) {
        const known = this.#handlers.get(name)
        if (known !== undefined && known.run !== handler.run) {
          throw new ConfigError('DEFINITION_INVALID', `two handlers claim the job name ${name}`, {
            fields: { name },
            hint: 'Give one of the definitions another name.',
          })
        }
        this.#handlers.set(name, handler)
      }
    }
  }

  /** A registry of the same names, each with what `change` makes of its handler. */
  mapped(change: (handler: BoundHandler) => BoundHandler): Registry {
    const changed = new Registry([])
    for (const [name, handler] of this.#handlers) changed.#handlers.set(name, change(handler))
    return changed
  }

  get(name: string): BoundHandler | undefined {
    return this.#handlers.get(name)
  }

  get names(): readonly string[] {
    return [...this.#handlers.keys()]
  }
}
