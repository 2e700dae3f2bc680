/** `millrace worker list | show | pause | resume | stop | restart`: the live workers, and what they are asked from here. */
import { whoAmI } from '../../client/who.ts'
import { MillraceError } from '../../core/errors.ts'
import { formatSize } from '../../core/size.ts'
import type { Millrace } from '../../runtime/millrace.ts'
import type { NodeRow } from '../../store/contract/index.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../failure.ts'
import { printJson, say, spanText, timeText } from '../output.ts'
import { NOTHING_CHANGED } from '../preview.ts'
import type { CommandSpec } from '../program.ts'
import { type Column, printRows } from '../table.ts'
import { durationOf } from '../values.ts'
import { showOrWatch, WATCH } from '../watch.ts'

type Verb = 'pause' | 'resume' | 'stop' | 'restart'

const ALL: readonly [string, string] = ['--all', 'every live worker']
const TIMEOUT: readonly [string, string] = ['--timeout <duration>', 'how long to wait until it is done (default 30s)']
const DRY_RUN: readonly [string, string] = ['--dry-run', 'only show the workers that it would meet']

/** The commands of this file. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    path: 'worker list',
    aliases: ['worker:list'],
    summary: 'the live workers and how they are',
    options: [WATCH],
    examples: ['millrace worker list --watch 5'],
    run: (context, _, { watch }) =>
      showOrWatch(context, watch, {
        look: async (mill) => byNode(await mill.workers()),
        print: (rows) => printList(context, rows),
      }),
  },
  {
    path: 'worker show',
    aliases: ['worker:show'],
    args: '<id>',
    summary: 'one worker, or those of one node',
    options: [WATCH],
    run: (context, [id = ''], { watch }) =>
      showOrWatch(context, watch, {
        look: async (mill) => shownOf(byNode(await mill.workers()), id),
        print: (rows) => printFacts(context, rows),
      }),
  },
  verb('pause', 'claim nothing more; what runs goes on'),
  verb('resume', 'claim again'),
  verb('stop', 'finish what runs, and end'),
  verb('restart', 'finish what runs and be replaced, the successor at work before', 'millrace queue:restart'),
  {
    path: 'queue:restart',
    isHidden: true,
    summary: 'worker restart --all: finish what runs and be replaced, every worker',
    options: [DRY_RUN, TIMEOUT],
    examples: ['millrace queue:restart --yes --timeout 5m'],
    run: (context, _, options) => ask(context, 'restart', [], { ...options, all: true }),
  },
]

function verb(name: Verb, summary: string, ...more: readonly string[]): CommandSpec {
  return {
    path: `worker ${name}`,
    aliases: [`worker:${name}`],
    args: '[id...]',
    summary,
    options: [ALL, DRY_RUN, TIMEOUT],
    examples: [`millrace worker ${name} 5f1c`, `millrace worker ${name} --all`, ...more],
    run: (context, ids, options) => ask(context, name, ids, options),
  }
}

const COLUMNS: readonly Column[] = [
  { head: 'worker', shrinkTo: 13 },
  { head: 'node', shrinkTo: 13, drop: 5 },
  { head: 'host', shrinkTo: 8, drop: 3 },
  { head: 'pid', isNumber: true },
  { head: 'status' },
  { head: 'busy', isNumber: true },
  { head: 'done', isNumber: true },
  { head: 'cpu', isNumber: true, drop: 2 },
  { head: 'memory', isNumber: true },
  { head: 'loop p99', isNumber: true, drop: 1 },
  { head: 'up', isNumber: true },
  { head: 'version', drop: 4 },
]

async function printList(context: Context, rows: readonly NodeRow[]): Promise<void> {
  if (context.output.json) printJson(rows)
  else if (rows.length === 0) say(context.output, 'No worker is alive. Start one: npx millrace work')
  else await printRows(context.output, COLUMNS, rows.map(cells))
}

function cells(row: NodeRow): readonly string[] {
  const { health } = row
  return [
    row.id,
    row.node ?? '',
    row.host,
    String(row.pid),
    row.status,
    `${row.running}/${row.concurrency}`,
    health === null ? '' : String(health.jobsDone),
    health === null ? '' : `${Math.round(health.cpu * 100)} %`,
    health === null ? '' : formatSize(health.pssBytes ?? health.rssBytes),
    health === null ? '' : `${health.loopDelayP99Ms} ms`,
    // The clock here may be behind the store's.
    spanText(Math.max(Date.now(), row.seenAt) - row.startedAt),
    row.version,
  ]
}

/** The workers of the node with this id, else the one worker that is meant. */
function shownOf(rows: readonly NodeRow[], id: string): readonly NodeRow[] {
  const node = nodeOf(rows, id)
  const found = rows.filter((row) => row.id === id || (node !== undefined && row.node === node))
  return found.length > 0 ? found : [one(rows, id)]
}

function printFacts(context: Context, rows: readonly NodeRow[]): void {
  if (context.output.json) printJson(rows.length > 1 ? rows : rows[0])
  else
    for (const row of rows) for (const [label, value] of facts(context, row)) console.log(`${label.padEnd(16)}${value}`)
}

function facts(context: Context, row: NodeRow): readonly (readonly [label: string, value: string])[] {
  const { health } = row
  return [
    ['worker', row.id],
    ['node', row.node ?? 'none: it has no supervisor'],
    ['status', row.status],
    ['host', `${row.host}, pid ${row.pid}`],
    ['version', `${row.version}${health === null ? '' : `, Node ${health.node}`}`],
    ['slots', `${row.running} of ${row.concurrency} busy`],
    ['queues', row.queues === null ? 'all' : row.queues.join(', ')],
    ['jobs', row.names.join(', ')],
    ['started', timeText(context.output, new Date(row.startedAt))],
    ['last seen', timeText(context.output, new Date(row.seenAt))],
    ...(health === null
      ? []
      : ([
          ['done', String(health.jobsDone)],
          ['cpu', `${Math.round(health.cpu * 100)} % of a core`],
          [
            'memory',
            `${formatSize(health.rssBytes)} resident${health.pssBytes === null ? '' : `, ${formatSize(health.pssBytes)} its share`}, ${formatSize(health.heapBytes)} heap`,
          ],
          ['event loop', `late by ${health.loopDelayP50Ms} ms (p50), ${health.loopDelayP99Ms} ms (p99)`],
          ['store answered', `${spanText(health.storeAnsweredMs)} before it was last seen`],
        ] as const)),
  ]
}

async function ask(
  context: Context,
  verb: Verb,
  ids: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  if (ids.length === 0 && options.all !== true) {
    throw new MillraceError('USAGE', `worker ${verb} needs an id, or --all`, { hint: 'See them: millrace worker list' })
  }
  const timeout = durationOf(options.timeout, '--timeout')
  return context.withMill(async (mill) => {
    const rows = await mill.workers()
    const targets = options.all === true ? everyTarget(rows) : ids.map((id) => targetOf(rows, id))
    if (targets.length === 0) {
      say(context.output, 'No worker is alive.')
      return EXIT.notFound
    }
    if (options.dryRun === true) return await tellMet(context, rows, targets)
    const isLarge = options.all === true && (verb === 'stop' || verb === 'restart')
    if (
      isLarge &&
      !(await context.confirm(`${verb === 'stop' ? 'Stop' : 'Restart'} every worker`, { count: rows.length }))
    ) {
      return EXIT.refused
    }
    return await askAll(context, mill, targets, verb, timeout)
  })
}

/** The workers that a verb would meet, by their own ids or those of their nodes. */
async function tellMet(context: Context, rows: readonly NodeRow[], targets: readonly string[]): Promise<ExitCode> {
  const met = byNode(rows.filter(({ id, node }) => targets.includes(id) || (node !== null && targets.includes(node))))
  if (context.output.json) printJson({ dryRun: true, data: met })
  else {
    await printList(context, met)
    say(context.output, NOTHING_CHANGED)
  }
  return EXIT.ok
}

async function askAll(
  context: Context,
  mill: Millrace,
  targets: readonly string[],
  verb: Verb,
  timeout: string | undefined,
): Promise<ExitCode> {
  const by = whoAmI()
  const results = await Promise.all(
    targets.map(async (id) => ({
      id,
      result: await mill.askWorker(id, verb, { by, ...(timeout !== undefined && { timeout }) }),
    })),
  )
  if (context.output.json) printJson(results)
  else for (const { id, result } of results) console.log(`${id}\t${result === 'done' ? DONE[verb] : result}`)
  if (results.some(({ result }) => result === 'missing')) return EXIT.notFound
  return results.every(({ result }) => result === 'done') ? EXIT.ok : EXIT.timeout
}

const DONE: Readonly<Record<Verb, string>> = {
  pause: 'paused',
  resume: 'resumed',
  stop: 'stopped',
  restart: 'restarted',
}

/** Nodes, and workers that have none. */
function everyTarget(rows: readonly NodeRow[]): readonly string[] {
  return [...new Set(rows.map((row) => row.node ?? row.id))]
}

/** The id of the worker or node that is meant: whole, or any part of it that only one has. */
function targetOf(rows: readonly NodeRow[], part: string): string {
  return nodeOf(rows, part) ?? one(rows, part).id
}

/** The node with this id, or with this part of one when no worker has it in its own. */
function nodeOf(rows: readonly NodeRow[], part: string): string | undefined {
  const nodes = [...new Set(rows.flatMap((row) => (row.node === null ? [] : [row.node])))]
  const near = rows.some((row) => row.id.includes(part)) ? [] : nodes.filter((node) => node.includes(part))
  return nodes.find((node) => node === part) ?? (near.length === 1 ? near[0] : undefined)
}

function one(rows: readonly NodeRow[], part: string): NodeRow {
  const found = rows.filter((row) => row.id === part)
  const near = found.length > 0 ? found : rows.filter((row) => row.id.includes(part))
  const [first] = near
  if (first !== undefined && near.length === 1) return first
  throw new MillraceError(
    near.length === 0 ? 'WORKER_NOT_FOUND' : 'USAGE',
    near.length === 0
      ? `no live worker or node has the id ${part}`
      : `${near.length} live workers have ${part} in their id`,
    { fields: { id: part }, hint: 'See them: millrace worker list' },
  )
}

function byNode(rows: readonly NodeRow[]): readonly NodeRow[] {
  const key = (row: NodeRow) => `${row.node ?? row.id} ${row.id}`
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}
