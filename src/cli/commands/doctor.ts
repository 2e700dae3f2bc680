/** `millrace doctor`: looks at everything that can be wrong, and says why it matters and what to do. */
import { stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ALIVE_WITHIN_MS } from '../../core/alive.ts'
import { MillraceError } from '../../core/errors.ts'
import { formatSize } from '../../core/size.ts'
import { bind } from '../../job/handle.ts'
import { FINISH_COPY, unfinishedCopy } from '../../runtime/copy-note.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import { maskUrl } from '../../runtime/store-url.ts'
import { DIAGNOSED_ROWS, type DiagnosisCode } from '../../store/contract/index.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { clean, paint, printJson } from '../output.ts'
import type { CommandSpec } from '../program.ts'
import { lacksFile } from '../store-file.ts'

interface Finding {
  readonly group: 'Runtime' | 'Configuration' | 'Store' | 'Workers' | 'Queues'
  readonly level: 'ok' | 'warning' | 'problem'
  /** The word for what is in the store; docs/doctor.md has a paragraph for each. */
  readonly code?: DiagnosisCode | 'COPY_UNFINISHED'
  readonly text: string
  /** What to do about it. */
  readonly fix?: string
}

const OLDEST = `the oldest ${DIAGNOSED_ROWS.toLocaleString('en')}`

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'doctor',
    aliases: ['queue:doctor'],
    summary: 'check the whole set-up',
    options: [['--rows', `look at the rows of all live jobs, not of ${OLDEST} only: takes seconds a million`]],
    run: (context, _args, options) =>
      doctor(context, options.rows === true ? Number.POSITIVE_INFINITY : DIAGNOSED_ROWS),
  },
]

const LOW_DISK_BYTES = 256 * 1024 * 1024

async function doctor(context: Context, rows: number): Promise<ExitCode> {
  const findings: Finding[] = [runtime()]
  const names = await checkConfig(context, findings)
  const mill = await checkStore(context, rows, findings)
  if (mill !== undefined) {
    try {
      await told('Workers', findings, checkWorkers(mill, names, findings))
      await told('Queues', findings, checkQueues(mill, findings))
    } finally {
      await mill.close()
    }
  }
  const isWell = !findings.some(({ level }) => level === 'problem')
  if (context.output.json) printJson({ ok: isWell, findings })
  else tell(context, findings)
  return isWell ? EXIT.ok : EXIT.check
}

/** An SQLite before 3.51.3 can damage a file that several processes write. */
function runtime(): Finding {
  const text = `Node ${process.version}, SQLite ${process.versions.sqlite}`
  const [major = 0, minor = 0, patch = 0] = (process.versions.sqlite ?? '').split('.').map(Number)
  const isSafe = major > 3 || (major === 3 && (minor > 51 || (minor === 51 && patch >= 3)))
  if (isSafe) return { group: 'Runtime', level: 'ok', text }
  return {
    group: 'Runtime',
    level: 'problem',
    text: `${text}: it can damage a file that several processes write`,
    fix: 'Use a Node whose SQLite is 3.51.3 or newer: 24.15, 22.23.3, 25.9 or later.',
  }
}

/** The names that the configured handlers run. */
async function checkConfig(context: Context, findings: Finding[]): Promise<readonly string[]> {
  const add = (level: Finding['level'], text: string, fix?: string) =>
    findings.push({ group: 'Configuration', level, text, ...(fix !== undefined && { fix }) })
  try {
    const { path } = await context.config()
    if (path === null)
      add('warning', 'no millrace.config.ts: every setting is at its default, no handlers', 'millrace init')
    else add('ok', path)
    const names = (await context.handlers()).map((each) => bind(each).definition.name)
    if (path !== null)
      add(names.length > 0 ? 'ok' : 'warning', names.length > 0 ? `handlers: ${names.join(', ')}` : 'no handlers')
    return names
  } catch (error) {
    add('problem', messageOf(error), error instanceof MillraceError ? error.hint : undefined)
    return []
  }
}

/** The opened store, or undefined when it cannot be used. */
async function checkStore(context: Context, rows: number, findings: Finding[]): Promise<Millrace | undefined> {
  const add = (level: Finding['level'], text: string, fix?: string) =>
    findings.push({ group: 'Store', level, text, ...(fix !== undefined && { fix }) })
  let mill: Millrace | undefined
  try {
    const store = await context.store()
    if (await lacksFile(store)) {
      add('warning', `${store.file} does not exist yet`, 'It is made by the first enqueue, or by: millrace migrate up')
      return undefined
    }
    await store.open()
    const { current, latest } = await store.schemaVersion().finally(() => store.close())
    if (current < latest) {
      add('problem', `${store.description} has version ${current} of ${latest}`, 'millrace migrate up')
      return undefined
    }
    mill = await context.open({ migrate: false })
    const start = performance.now()
    await mill.store.ping()
    add('ok', `${store.description}, version ${current}, answers in ${(performance.now() - start).toFixed(1)} ms`)
    const diagnoses = await mill.store.diagnose({ rows })
    for (const { code, severity, message, fix } of diagnoses) {
      findings.push({ group: 'Store', level: severity, code, text: clean(message), fix: clean(fix) })
    }
    if (!diagnoses.some(({ code }) => code === 'ROW_DAMAGED')) {
      const which = rows === DIAGNOSED_ROWS ? `${OLDEST} of live jobs; --rows looks at all` : 'all of live jobs'
      add('ok', `no row is damaged (${which})`)
    }
    await checkCopy(mill, findings)
    if (store.file !== null) await checkFile(store.file, add)
    return mill
  } catch (error) {
    await mill?.close()
    add('problem', messageOf(error), error instanceof MillraceError ? error.hint : undefined)
    return undefined
  }
}

/** Whoever works on half a copy leaves jobs that wait for ever. */
async function checkCopy({ store }: Millrace, findings: Finding[]): Promise<void> {
  const note = await unfinishedCopy(store)
  if (note === null) return
  const text = clean(`it holds a copy of ${note.from} that is not whole: no worker may be started on it`)
  findings.push({ group: 'Store', level: 'problem', code: 'COPY_UNFINISHED', text, fix: FINISH_COPY })
}

async function checkFile(
  path: string,
  add: (level: Finding['level'], text: string, fix?: string) => void,
): Promise<void> {
  const { mode, size } = await stat(path)
  if ((mode & 0o077) !== 0)
    add('warning', `others on this machine can read ${path} (mode ${(mode & 0o777).toString(8)})`, `chmod 600 ${path}`)
  else add('ok', `${formatSize(size)}, readable by its owner only`)
  const disk = await statfs(dirname(path))
  const free = disk.bavail * disk.bsize
  if (free < LOW_DISK_BYTES)
    add(
      'problem',
      `only ${formatSize(free)} are free on its disk: writes are about to fail`,
      'Free space, or shorten `retention`.',
    )
  const nfs = 0x6969
  if (disk.type === nfs)
    add('problem', 'it is on a network file system, where locks do not hold', 'Put the file on a local disk.')
}

/** A check that fails is a finding, so that the others are made. */
async function told(group: Finding['group'], findings: Finding[], check: Promise<void>): Promise<void> {
  try {
    await check
  } catch (error) {
    const fix = error instanceof MillraceError ? error.hint : undefined
    findings.push({ group, level: 'problem', text: messageOf(error), ...(fix !== undefined && { fix }) })
  }
}

async function checkWorkers(mill: Millrace, configured: readonly string[], findings: Finding[]): Promise<void> {
  const nodes = await mill.store.cluster.nodes(ALIVE_WITHIN_MS)
  const handled = new Set(nodes.flatMap((node) => node.names))
  const waiting = new Map<string, number>()
  for (const job of (await mill.list({ state: ['pending'], limit: 200, order: 'oldest' })).jobs) {
    if (!handled.has(job.name)) waiting.set(job.name, (waiting.get(job.name) ?? 0) + 1)
  }
  if (nodes.length > 0)
    findings.push({
      group: 'Workers',
      level: 'ok',
      text: `${nodes.length} alive, for ${[...handled].map(clean).join(', ')}`,
    })
  else
    findings.push({
      group: 'Workers',
      level: waiting.size > 0 ? 'problem' : 'warning',
      text: 'no worker is alive',
      fix: 'millrace work',
    })
  for (const [name, count] of waiting) {
    const known = configured.includes(name)
    findings.push({
      group: 'Workers',
      level: nodes.length > 0 ? 'problem' : 'warning',
      text: `no live worker handles ${clean(name)}: ${count} of the oldest 200 pending jobs wait for it`,
      fix: known ? 'millrace work' : 'Give it a handler. After a rename, keep the old name in `aliases`.',
    })
  }
}

async function checkQueues(mill: Millrace, findings: Finding[]): Promise<void> {
  for (const queue of await mill.queues.list()) {
    if (queue.pausedAt === null) continue
    const why = queue.pauseReason ? ` ("${clean(queue.pauseReason)}")` : ''
    findings.push({
      group: 'Queues',
      level: 'warning',
      text: `${clean(queue.name)} is paused by ${clean(queue.pausedBy ?? 'somebody')}${why}`,
      fix: `millrace queue resume ${queue.name}`,
    })
  }
  const { count, capped } = await mill.count({ state: 'failed' })
  if (count === 0) findings.push({ group: 'Queues', level: 'ok', text: 'no dead letters' })
  else
    findings.push({
      group: 'Queues',
      level: 'warning',
      text: `${count}${capped ? '+' : ''} dead letters`,
      fix: 'millrace dead list',
    })
}

function tell(context: Context, findings: readonly Finding[]): void {
  const { output } = context
  const signs = {
    ok: paint(output, 'green', '✓'),
    warning: paint(output, 'yellow', '!'),
    problem: paint(output, 'red', '✕'),
  }
  let group = ''
  for (const finding of findings) {
    if (finding.group !== group) console.log(paint(output, 'bold', finding.group))
    group = finding.group
    const code = finding.code === undefined ? '' : `  ${finding.code}`
    console.log(`  ${signs[finding.level]} ${finding.text}${code}`)
    if (finding.fix !== undefined) console.log(`      → ${finding.fix}`)
  }
}

function messageOf(error: unknown): string {
  return clean(maskUrl(error instanceof Error ? error.message : String(error)))
}
