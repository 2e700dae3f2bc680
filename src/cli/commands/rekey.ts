/** `millrace rekey`: seals what is stored under the configuration's active key, and says whether earlier keys can go. */
import type { RekeyReport } from '../../runtime/rekey.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { progressBar } from '../progress.ts'

/** The command of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'rekey',
    aliases: ['queue:rekey'],
    summary: 'seal what is stored anew under the active key',
    run: rekey,
  },
]

async function rekey(context: Context): Promise<ExitCode> {
  const { output } = context
  return await context.withMill(async (mill) => {
    const stop = new AbortController()
    const onInterrupt = () => stop.abort()
    process.once('SIGINT', onInterrupt)
    const { count, capped } = await mill.count({}, 1_000_000)
    const bar = await progressBar(output, 'Rekeying', capped ? undefined : count)
    try {
      const report = await mill.rekey({ signal: stop.signal, onProgress: ({ visited }) => bar.update(visited) })
      bar.stop()
      if (output.json) printJson(report)
      else for (const line of linesOf(report, stop.signal.aborted)) say(output, line)
      if (stop.signal.aborted) return EXIT.interrupted
      return report.isComplete ? EXIT.ok : EXIT.failed
    } finally {
      bar.stop()
      process.removeListener('SIGINT', onInterrupt)
    }
  })
}

function linesOf(report: RekeyReport, isStopped: boolean): readonly string[] {
  const jobs = (count: number) => `${count} ${count === 1 ? 'job' : 'jobs'}`
  const lines = [`${jobs(report.rewritten)} sealed anew under ${report.kid}.`]
  if (isStopped) return [...lines, 'Stopped. Run it again to go on.']
  if (report.unreadable > 0)
    lines.push(`! ${jobs(report.unreadable)} cannot be opened with the key they name; left as they are.`)
  for (const [kid, count] of Object.entries(report.missingKeys))
    lines.push(
      `! ${jobs(count)} ${count === 1 ? 'needs' : 'need'} the key ${kid}, which is not in the ring. Add it and run this again.`,
    )
  if (report.running > 0)
    lines.push(`! ${jobs(report.running)} still run under an earlier key. Run this again when they have ended.`)
  if (report.isComplete) lines.push('✓ Nothing is left under another key. Backups from before still need theirs.')
  return lines
}
