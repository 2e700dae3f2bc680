/** `millrace work --processes N` in an app's folder, as users run it: its start, its memory, its rate while workers are replaced. */
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { appFolder, end, ended, printed, ROOT, role, run } from './processes.js'
import { finish, now, options, wait } from './timing.js'

const { scenario, path, url, durability, count, processes, concurrency, seconds, runMs, flags = [] } = options
const { folder, handlers } = appFolder(url ?? `sqlite:${path}?durability=${durability}`, 'js')
const ran = join(folder, 'ran')
const LOOK_MS = 5

const SCENARIOS = {
  /** From the start of the command to the end of the first job, which waits in the store. */
  async start() {
    await ended(role('fill', { count: 1 }))
    const begin = now()
    const node = command(['--log', 'json'])
    await printed(node, '"event":"job.settled"')
    const ms = now() - begin
    await end(node)
    return { ms }
  },
  /** Memory of one worker of several: the mean of them, idle and after `count` jobs. */
  async memory() {
    const node = command(['--log', 'json', '--quiet'])
    const pids = await workersOf(node.pid)
    await wait(3_000)
    const idle = memoryOf(pids)
    await ended(role('fill'))
    await until(() => done() >= count)
    await wait(2_000)
    const after = memoryOf(pids)
    await end(node)
    return { idle: idle.pss, idlePrivate: idle.own, after: after.pss, afterPrivate: after.own }
  },
  /** Jobs a second while every worker is replaced, as a share of those before. */
  async rolling() {
    await ended(role('fill'))
    const node = command(['--quiet'])
    const before = await workersOf(node.pid)
    await wait(2_000)
    const rateBefore = await rateOver(() => wait(seconds * 1000))
    node.kill('SIGHUP')
    // Looked at one by one: to list all processes again and again takes a good part of a core from what is measured.
    const areGone = () => before.every((pid) => parentOf(pid) !== node.pid)
    const rateDuring = await rateOver(() => until(areGone))
    await end(node)
    return { share: rateDuring / rateBefore, rateBefore, rateDuring }
  },
  /** Jobs a second over some seconds, with whatever the flags bring about. */
  async rate() {
    await ended(role('fill'))
    const node = command(['--quiet', ...flags])
    await workersOf(node.pid)
    await wait(2_000)
    const before = childrenOf(node.pid)
    const perSecond = await rateOver(() => wait(seconds * 1000))
    // Looked at once, after what is measured.
    const stayed = before.filter((pid) => parentOf(pid) === node.pid)
    await end(node)
    if (flags.includes('--max-jobs') && stayed.length === before.length)
      throw new Error(`no worker was replaced while the rate was measured: ${stayed.join(', ')}`)
    return { perSecond }
  },
  /** From the first job done to the last. */
  async drain() {
    await ended(role('fill'))
    const node = command(['--quiet'])
    await until(() => done() > 0)
    const [begin, first] = [now(), done()]
    await until(() => done() >= count)
    const perSecond = ((count - first) / (now() - begin)) * 1000
    await end(node)
    return { perSecond }
  },
}

function command(more) {
  appendFileSync(ran, '')
  const counts = `import { appendFileSync } from 'node:fs'\nconst counts = () => appendFileSync(${JSON.stringify(ran)}, '.')\n`
  writeFileSync(
    handlers,
    `import { defineJob } from 'millrace'\n${counts}export default defineJob({ name: 'noop', run: ${HANDLERS[options.does ?? 'noop']} })\n`,
  )
  const args = ['work', '--processes', String(processes), '--concurrency', String(concurrency), ...more]
  return run(process.execPath, [join(ROOT, 'bin/millrace.js'), ...args], { cwd: folder })
}

/** What a job does beside being counted. */
const HANDLERS = {
  noop: 'counts',
  waits: `() => new Promise((done) => setTimeout(done, ${runMs})).then(counts)`,
  computes: `() => { const end = performance.now() + ${runMs}; while (performance.now() < end); counts() }`,
}

function done() {
  return statSync(ran).size
}

async function rateOver(span) {
  const [begin, first] = [now(), done()]
  await span()
  return ((done() - first) / (now() - begin)) * 1000
}

async function until(holds) {
  while (!holds()) await wait(LOOK_MS)
}

/** The worker processes, once all are there. */
async function workersOf(pid) {
  await until(() => childrenOf(pid).length === processes)
  return childrenOf(pid)
}

function childrenOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid && isWorker(name))
    .map(Number)
}

/** Not the shell that waits for the supervisor's end. */
function isWorker(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('worker-main')
  } catch {
    return false // It has ended meanwhile.
  }
}

function parentOf(pid) {
  try {
    return Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1])
  } catch {
    return 0 // It has ended meanwhile.
  }
}

/** MiB: the mean proportional share, and the mean of what is each process's alone. */
function memoryOf(pids) {
  const texts = pids.map((pid) => readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))
  const kib = (text, name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1])
  const mean = (of) => texts.reduce((sum, text) => sum + of(text), 0) / texts.length / 1024
  return {
    pss: mean((text) => kib(text, 'Pss')),
    own: mean((text) => kib(text, 'Private_Clean') + kib(text, 'Private_Dirty')),
  }
}

finish(await SCENARIOS[scenario]())
