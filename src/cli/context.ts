/** What every command works with: the global options, the configuration, the store. */
import { createInterface } from 'node:readline/promises'
import { MillraceError } from '../core/errors.ts'
import { type LoadedConfig, loadConfig } from '../runtime/config.ts'
import { loadHandlers } from '../runtime/handlers.ts'
import { type Handlers, Millrace } from '../runtime/millrace.ts'
import { createStore, storeUrl } from '../runtime/store-url.ts'
import { clean, type Output, say } from './output.ts'

/** The flags that every command takes. */
export interface GlobalOptions {
  readonly store?: string
  readonly config?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color?: boolean
  readonly yes?: boolean
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

  /** The store's name for people, not opened. */
  async storeName(): Promise<string> {
    const { url, base } = await this.storeUrl()
    return (await createStore(url, base)).description
  }

  /**
   * Asks on a terminal, naming the store. `--yes` answers; without a terminal it throws `CONFIRMATION_NEEDED`. `what` reads as
   * in "Delete 3 jobs"; a `warning` follows as a sentence of its own.
   */
  async confirm(what: string, warning = ''): Promise<boolean> {
    if (this.#options.yes === true) return true
    const question = clean(`${what} in ${await this.storeName()}`)
    if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
      throw new MillraceError('CONFIRMATION_NEEDED', `${question}? Nobody is here to answer.`, {
        hint: 'Add --yes if that is what you want.',
      })
    }
    console.error(`${question}.`)
    const asking = createInterface({ input: process.stdin, output: process.stderr })
    const answered = asking.question(`${warning === '' ? '' : `${warning} `}Go on? [y/N] `).catch(() => '')
    // The end of the input, or Ctrl-C, is no yes.
    const gone = new Promise<null>((resolve) => asking.once('close', () => resolve(null)))
    const answer = await Promise.race([answered, gone])
    if (answer === null) console.error('')
    asking.close()
    const isYes = answer !== null && /^y(es)?$/i.test(answer.trim())
    if (!isYes) say(this.output, 'Nothing was changed.')
    return isYes
  }

  /** Whether `confirm` would ask somebody. */
  get isAsking(): boolean {
    return !this.isYes && process.stdin.isTTY === true && process.stderr.isTTY === true
  }

  /** Whether every question is answered with yes. */
  get isYes(): boolean {
    return this.#options.yes === true
  }
}
