/** What every command works with: the global options, the configuration, the store. */
import { MillraceError } from '../core/errors.ts'
import { type LoadedConfig, loadConfig } from '../runtime/config.ts'
import { loadHandlers } from '../runtime/handlers.ts'
import { type Handlers, Millrace } from '../runtime/millrace.ts'
import { createStore, storeUrl } from '../runtime/store-url.ts'
import type { Store } from '../store/contract/index.ts'
import { clean, type Output, say } from './output.ts'
import { asksYes, isSomebodyThere } from './question.ts'

/** The flags that every command takes. */
export interface GlobalOptions {
  readonly store?: string
  readonly config?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color?: boolean
  readonly yes?: boolean
  /** False: nothing is asked. */
  readonly input?: boolean
}

/** What a question says beside what is to be done. */
export interface Question {
  /** What cannot be undone, as a sentence. */
  readonly warning?: string
  /** How many things would be changed: above 1,000 the number has to be typed. Default 1. */
  readonly count?: number
}

/** One run of the command line. */
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

  /** The configuration, loaded once. */
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

  /** The store, not opened. */
  async store(): Promise<Store> {
    const { url, base } = await this.storeUrl()
    return await createStore(url, base)
  }

  /**
   * Asks on a terminal, naming the store. `--yes` answers; without a terminal, and with `--no-input`, it throws
   * `CONFIRMATION_NEEDED`. `what` reads as in "Delete 3 jobs".
   */
  async confirm(what: string, { warning = '', count = 1 }: Question = {}): Promise<boolean> {
    if (this.#options.yes === true) return true
    const question = clean(`${what} in ${(await this.store()).description}`)
    if (!this.isAsking) {
      const why = this.#options.input === false ? '--no-input asks nobody.' : 'Nobody is here to answer.'
      throw new MillraceError('CONFIRMATION_NEEDED', `${question}? ${why}`, {
        hint: 'Add --yes if that is what you want.',
      })
    }
    console.error(`${question}.`)
    const isYes = await asksYes(warning, count)
    if (!isYes) say(this.output, 'Nothing was changed.')
    return isYes
  }

  /** Whether a question would be put to somebody. */
  get isAsking(): boolean {
    return this.#options.yes !== true && this.#options.input !== false && isSomebodyThere()
  }
}
