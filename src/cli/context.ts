/** What every command works with: the global options, the configuration, the store. */
import { createInterface } from 'node:readline/promises'
import { MillraceError } from '../core/errors.ts'
import { type LoadedConfig, loadConfig } from '../runtime/config.ts'
import { loadHandlers } from '../runtime/handlers.ts'
import { type Handlers, Millrace } from '../runtime/millrace.ts'
import { storeUrl } from '../runtime/store-url.ts'
import type { Output } from './output.ts'

export interface GlobalOptions {
  readonly store?: string
  readonly config?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color?: boolean
  readonly yes?: boolean
}

export class Context {
  readonly output: Output
  readonly #options: GlobalOptions
  #loaded: Promise<LoadedConfig> | undefined

  constructor(options: GlobalOptions) {
    this.#options = options
    const isTerminal = process.stdout.isTTY === true && options.json !== true
    const wantsColor = process.env.FORCE_COLOR !== undefined || (isTerminal && process.env.TERM !== 'dumb')
    this.output = {
      json: options.json === true,
      quiet: options.quiet === true,
      isTerminal,
      color: wantsColor && options.color !== false && !process.env.NO_COLOR,
    }
  }

  config(): Promise<LoadedConfig> {
    this.#loaded ??= loadConfig(this.#options.config, process.cwd())
    return this.#loaded
  }

  /** The store to use: `--store`, else `MILLRACE_STORE`, else the configuration, else the default. */
  async storeUrl(): Promise<{ readonly url: string; readonly base: string }> {
    if (this.#options.store !== undefined) return { url: this.#options.store, base: process.cwd() }
    if (process.env.MILLRACE_STORE) return { url: process.env.MILLRACE_STORE, base: process.cwd() }
    const { config, folder } = await this.config()
    return { url: storeUrl(config.store), base: folder }
  }

  /** Opens the store as the configuration says. */
  async open(options: { readonly migrate?: boolean } = {}): Promise<Millrace> {
    const { config } = await this.config()
    const { url, base } = await this.storeUrl()
    return await Millrace.open({
      store: url,
      base,
      ...(config.retention !== undefined && { retention: config.retention }),
      ...(config.encryption !== undefined && { codec: config.encryption }),
      ...options,
    })
  }

  /** Opens the store, runs `use`, and closes it whatever happens. */
  async withMill<T>(use: (mill: Millrace) => Promise<T>): Promise<T> {
    const mill = await this.open()
    try {
      return await use(mill)
    } finally {
      await mill.close()
    }
  }

  /** The handlers that the configuration names; none when it names none. */
  async handlers(): Promise<Handlers> {
    const { config, folder } = await this.config()
    return config.handlers === undefined ? [] : await loadHandlers(config.handlers, folder)
  }

  /** Asks on a terminal. `--yes` answers; without a terminal it throws `CONFIRMATION_NEEDED`. */
  async confirm(question: string): Promise<boolean> {
    if (this.#options.yes === true) return true
    if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
      throw new MillraceError('CONFIRMATION_NEEDED', `${question} Nobody is here to answer.`, {
        hint: 'Add --yes if that is what you want.',
      })
    }
    const asking = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await asking.question(`${question} [y/N] `)
    asking.close()
    return /^y(es)?$/i.test(answer.trim())
  }

  get isYes(): boolean {
    return this.#options.yes === true
  }
}
