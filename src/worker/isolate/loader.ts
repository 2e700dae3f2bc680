/** Inside an isolate: finds the handler of a job in the modules of its entry. */
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../../core/errors.ts'
import { handlersOf } from '../../job/exports.ts'
import type { BoundHandler } from '../../job/handle.ts'
import { importModule } from '../../job/import-module.ts'

/** The handlers of one isolate. A module is loaded when a job needs it, and no other. */
export class Loader {
  readonly #loaded = new Set<string>()
  readonly #handlers = new Map<string, BoundHandler>()

  /** Whether the handler of a job is loaded. */
  has(name: string): boolean {
    return this.#handlers.has(name)
  }

  /** The handler of a job, loaded at its first use. Throws `ISOLATE_ENTRY`. */
  async find(name: string, entry: readonly string[]): Promise<BoundHandler> {
    for (const url of entry) {
      const known = this.#handlers.get(name)
      if (known !== undefined) return known
      if (!this.#loaded.has(url)) await this.#load(url)
    }
    const found = this.#handlers.get(name)
    if (found !== undefined) return found
    throw new MillraceError('ISOLATE_ENTRY', `no handler of ${name} is exported by ${entry.map(shown).join(', ')}`, {
      fields: { name, entry },
      hint: 'Export it from the module that `entry` names.',
    })
  }

  async #load(url: string): Promise<void> {
    const path = fileURLToPath(url)
    let module: Readonly<Record<string, unknown>>
    try {
      module = await importModule(path)
    } catch (cause) {
      const detail = cause instanceof MillraceError && cause.hint !== undefined ? { hint: cause.hint } : {}
      throw new MillraceError('ISOLATE_ENTRY', cause instanceof Error ? cause.message : String(cause), {
        ...detail,
        cause,
      })
    }
    for (const handler of handlersOf(module, path))
      for (const name of [handler.definition.name, ...handler.definition.aliases]) this.#handlers.set(name, handler)
    this.#loaded.add(url)
  }
}

function shown(url: string): string {
  return fileURLToPath(url)
}
