/**
 * The tree of commands. Each command is added under its path and under its aliases with colons (`queue:list`), all running the
 * same code. Files of commands are loaded when their word is the first one, so that `work` starts without the rest.
 */
import { Command, CommanderError } from 'commander'
import { MillraceError } from '../core/errors.ts'
import { nearest } from '../core/suggest.ts'
import { VERSION } from '../runtime/version.ts'
import { Context, type GlobalOptions } from './context.ts'
import { EXIT, EXIT_CODES, type ExitCode, tellFailure } from './failure.ts'

/** Does the work of one command. `args` are its arguments in order, the last options. */
export type Run = (
  context: Context,
  args: readonly string[],
  options: Readonly<Record<string, unknown>>,
) => Promise<ExitCode>

/** One command, from which help, aliases and the parser are made. */
export interface CommandSpec {
  /** `queue list`. */
  readonly path: string
  /** Other names, as one word each: `queue:list`. */
  readonly aliases?: readonly string[]
  readonly summary: string
  /** As commander writes them: `<id...>`, `[queues...]`. */
  readonly args?: string
  /** Flags and what they do: `['--limit <n>', 'rows of one page']`. */
  readonly options?: readonly (readonly [flags: string, help: string])[]
  readonly examples?: readonly string[]
  /** Not shown in the help. */
  readonly isHidden?: boolean
  readonly run: Run
}

const GROUPS: Readonly<Record<string, string>> = {
  job: 'look at jobs and change them',
  queue: 'look at queues, pause and clear them',
  dead: 'dead letters: jobs that failed for good',
  store: 'move a store',
  worker: 'look at workers and steer them, wherever they run',
}

/** Runs the command line and gives its exit code. */
export async function runProgram(specs: readonly CommandSpec[], args: readonly string[]): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok
  const program = newProgram()
  const finish = async (
    spec: CommandSpec,
    words: readonly string[],
    options: GlobalOptions & Record<string, unknown>,
  ) => {
    const context = new Context(options)
    try {
      exit = await spec.run(context, words, options)
    } catch (error) {
      exit = tellFailure(error, context.output.json)
    }
  }
  for (const spec of specs) addCommand(program, spec, finish)
  refuseUnknown(program)
  try {
    await program.parseAsync(withTopic(program, withFilter(args)), { from: 'user' })
    return exit
  } catch (error) {
    const isJson = args.includes('--json')
    if (!(error instanceof CommanderError)) return tellFailure(error, isJson)
    if (error.exitCode === 0) return EXIT.ok
    tellFailure(usage(error, specs, args), isJson)
    return EXIT.usage
  }
}

/** A filter may begin with a minus, which would be read as the flags of its letters: `--where -queue:bulk` as `-q -u …`. */
function withFilter(args: readonly string[]): readonly string[] {
  return args.flatMap((arg, i) => {
    if (args[i - 1] === '--where') return []
    return arg === '--where' && i + 1 < args.length ? [`--where=${args[i + 1]}`] : [arg]
  })
}

/** `help queue list` as `queue list --help`; commander would answer a topic that is none with its own help alone. */
function withTopic(program: Command, args: readonly string[]): string[] {
  const topic = args.slice(1).filter((word) => !word.startsWith('-'))
  if (args[0] !== 'help' || topic.length === 0) return [...args]
  let command = program
  for (const word of topic) {
    const next = command.commands.find((each) => each.name() === word)
    if (next === undefined) throw unknownCommand(command, word)
    command = next
  }
  return [...topic, '--help']
}

/** Commander's complaint in our words: its second line asks whether another word was meant. */
function usage(error: CommanderError, specs: readonly CommandSpec[], args: readonly string[]): MillraceError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  const meant = /Did you mean (.+?)\?/.exec(rest.join(' '))?.[1]
  const words = args.filter((word) => !word.startsWith('-'))
  const typed = [words.slice(0, 2).join(' '), words[0] ?? '']
  const spec = specs.find(({ path, aliases = [] }) => typed.some((name) => name === path || aliases.includes(name)))
  const group = GROUPS[words[0] ?? ''] === undefined ? '' : ` ${words[0]}`
  const how =
    spec === undefined
      ? `All commands: millrace help${group}`
      : `Usage: millrace ${spec.path} ${spec.args ?? ''}`.trim()
  return new MillraceError('USAGE', first, { hint: meant === undefined ? how : `Did you mean ${meant} ?` })
}

type Finish = (
  spec: CommandSpec,
  words: readonly string[],
  options: GlobalOptions & Record<string, unknown>,
) => Promise<void>

function newProgram(): Command {
  const program = new Command('millrace')
  program
    .description('Background jobs on the database you already have.')
    .version(VERSION, '-V, --version', 'print the version')
    .option(
      '--store <url>',
      'the store, for example sqlite:./millrace.db (else MILLRACE_STORE, else the configuration)',
    )
    .option('-c, --config <file>', 'the configuration (else the nearest millrace.config.ts)')
    .option('--json', 'print one JSON document')
    .option('-q, --quiet', 'print data and errors only')
    .option('--no-color', 'no colours')
    .option('-y, --yes', 'answer every question with yes')
    .option('--no-input', 'never ask: what needs an answer is refused without --yes')
    .helpCommand('help [command]', 'print help for a command, or for exit-codes')
    .addHelpText('after', '\nExit codes: millrace help exit-codes')
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride()
  const exitCodes = program.command('exit-codes', { hidden: true }).action(() => console.log(EXIT_CODES))
  // `help exit-codes` prints what it is about, not how a command is used.
  exitCodes.helpInformation = () => `${EXIT_CODES}\n`
  return program
}

function addCommand(program: Command, spec: CommandSpec, finish: Finish): void {
  const [group, word] = spec.path.split(' ')
  const parent = word === undefined ? program : groupOf(program, group ?? '')
  configure(parent.command(word ?? spec.path, { hidden: spec.isHidden === true }), spec, finish)
  for (const alias of spec.aliases ?? []) configure(program.command(alias, { hidden: true }), spec, finish)
}

function groupOf(program: Command, name: string): Command {
  const known = program.commands.find((command) => command.name() === name)
  if (known !== undefined) return known
  const group = program
    .command(name)
    .description(GROUPS[name] ?? '')
    .exitOverride()
  refuseUnknown(group)
  return group
}

function configure(command: Command, spec: CommandSpec, finish: Finish): void {
  command.description(spec.summary).exitOverride().showSuggestionAfterError(true).allowExcessArguments(false)
  if (spec.args !== undefined) command.arguments(spec.args)
  for (const [flags, help] of spec.options ?? []) command.option(flags, help)
  if (spec.examples !== undefined)
    command.addHelpText('after', `\nExamples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`)
  command.action(async () => {
    const words = command.processedArgs.flatMap((value: unknown) =>
      Array.isArray(value) ? value : value === undefined ? [] : [value],
    )
    await finish(spec, words.map(String), command.optsWithGlobals())
  })
}

/** An unknown word ends with 2 and the nearest right one. */
function refuseUnknown(command: Command): void {
  command.action(() => {
    const [word] = command.args
    if (word === undefined) command.help()
    throw unknownCommand(command, String(word))
  })
  command.allowExcessArguments(true)
}

function unknownCommand(command: Command, word: string): CommanderError {
  const known = command.commands.map((each) => each.name())
  const near = nearest(word, known)
  const where = command.parent === null ? '' : `${command.name()} `
  const meant = near === undefined ? '' : `\n(Did you mean ${where}${near}?)`
  return new CommanderError(EXIT.usage, 'millrace.unknownCommand', `unknown command "${where}${word}"${meant}`)
}
