/** `millrace store copy`: moves everything of one store into another. */
import { ConfigError, MillraceError } from '../../core/errors.ts'
import { createStore } from '../../runtime/store-url.ts'
import type { Store } from '../../store/contract/index.ts'
import type { Context } from '../context.ts'
import { type CopyReport, copyStore } from '../copy-store.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { progressBar } from '../progress.ts'
import { lacksFile } from '../store-file.ts'

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'store copy',
    aliases: ['store:copy'],
    summary: 'copy every job, archive and queue setting into an empty store',
    options: [
      ['--from <url>', 'the store to read (else MILLRACE_STORE)'],
      ['--to <url>', 'the store to fill; its tables are made (else MILLRACE_STORE_TO)'],
      ['--force', 'also while workers are alive or jobs run: those run again on the other side'],
    ],
    examples: [
      'millrace store copy --from sqlite:./old.db --to sqlite:./new.db',
      'millrace store copy --from sqlite:./millrace.db  # into MILLRACE_STORE_TO',
      'millrace store copy …  # again after it was stopped: goes on from there',
    ],
    run: (context, _, options) => copy(context, options),
  },
]

async function copy(context: Context, options: Readonly<Record<string, unknown>>): Promise<ExitCode> {
  const [from, to] = urlsOf(options)
  const [source, target] = [await createStore(from), await createStore(to)]
  await refuseMissing(source)
  const stop = new AbortController()
  const onInterrupt = () => stop.abort()
  process.once('SIGINT', onInterrupt)
  try {
    await source.open()
    await target.open()
    await refuseOlder(source)
    await target.migrate()
    return await run(context, source, target, options.force === true, stop.signal)
  } finally {
    process.removeListener('SIGINT', onInterrupt)
    await Promise.all([source.close(), target.close()])
  }
}

/** Both URLs. A password on the command line is seen by others, so the environment can hold either. */
function urlsOf(options: Readonly<Record<string, unknown>>): readonly [from: string, to: string] {
  // A shell's variable that is empty by mistake shall not name another store.
  for (const flag of ['from', 'to'] as const) {
    if (options[flag] === '') throw emptyFlag(flag)
  }
  const from = textOf(options.from) ?? textOf(options.store) ?? textOf(process.env.MILLRACE_STORE)
  const to = textOf(options.to) ?? textOf(process.env.MILLRACE_STORE_TO)
  if (from !== undefined && to !== undefined) return [from, to]
  const lacking = [...(from === undefined ? ['read'] : []), ...(to === undefined ? ['fill'] : [])]
  throw new MillraceError('USAGE', `nothing says which store to ${lacking.join(', and which to ')}`, {
    hint: 'Give --from and --to, or set MILLRACE_STORE and MILLRACE_STORE_TO: a password belongs there.',
  })
}

function emptyFlag(flag: string): MillraceError {
  return new MillraceError('USAGE', `--${flag} is empty`, {
    fields: { flag },
    hint: 'Give it a URL, or leave it out: then the environment names the store.',
  })
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

async function run(
  { output }: Context,
  source: Store,
  target: Store,
  force: boolean,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { count, capped } = await source.jobs.count({}, 1_000_000)
  const bar = await progressBar(output, 'Copying', capped ? undefined : count * 2)
  try {
    const report = await copyStore(source, target, { force, signal, onProgress: ({ done }) => bar.update(done) })
    bar.stop()
    if (output.json) printJson({ from: source.description, to: target.description, ...report })
    else for (const line of linesOf(source, target, report)) say(output, line)
    return report.isComplete ? EXIT.ok : EXIT.interrupted
  } finally {
    bar.stop()
  }
}

function linesOf(source: Store, target: Store, report: CopyReport): readonly string[] {
  if (!report.isComplete) return ['Stopped. Run it again to go on.']
  const counts = report.parts.filter(({ count }) => count > 0).map(({ part, count }) => `${part} ${count}`)
  const again = report.isResumed ? ', from where an earlier copy had stopped' : ''
  return [
    `✓ ${source.description} copied to ${target.description}${again}: ${counts.join(', ') || 'nothing was there'}.`,
    'Counts and checksums are the same on both sides.',
    ...(report.running > 0
      ? [`! ${report.running} of its jobs were running: they run again when their leases end.`]
      : []),
  ]
}

/** Opening a file that is not there would make one. */
async function refuseMissing(source: Store): Promise<void> {
  if (!(await lacksFile(source))) return
  throw new ConfigError('STORE_URL', `${source.file} does not exist: there is nothing to copy`, {
    fields: { path: source.file },
    hint: 'Name the store that holds the jobs with --from.',
  })
}

async function refuseOlder(source: Store): Promise<void> {
  const { current, latest } = await source.schemaVersion()
  if (current >= latest) return
  throw new ConfigError('STORE_OLDER', `${source.description} has version ${current} of ${latest}`, {
    fields: { current, latest },
    hint: 'Run on it first: millrace migrate up',
  })
}
