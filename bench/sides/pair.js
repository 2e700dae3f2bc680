/** Measurements of workers and an enqueuer in processes of their own, and of a worker's memory beside bare Node. */

import { cpuOf, pssOf } from './proc.js'
import { end, ended, role, run, told } from './processes.js'
import { finish, now, options, per10k, shareOf, wait } from './timing.js'

const { scenario, count, idleMs } = options

const SCENARIOS = {
  /** What an idle worker costs, then one job each 50 ms: from the call of enqueue to the start of the handler. */
  async pickup() {
    const worker = role('worker', { expect: count })
    await told(worker, 'ready')
    await wait(1000)
    const idle = told(worker, 'idleCpu')
    const [server, start] = [cpuOf(options.serverPid), now()]
    worker.send({ ask: 'idleCpu', ms: idleMs })
    const idleCpu = await idle
    const idleServerCpu = shareOf(server(), start)
    const figures = told(worker, 'figures')
    const pulse = role('pulse')
    const { p50, p99 } = await figures
    await ended(pulse)
    await end(worker)
    return { p50, p99, idleCpu, idleServerCpu }
  },
  /** A producer at full speed beside one worker, `seconds` from the first job on. */
  async mixed() {
    const worker = role('worker')
    const figures = told(worker, 'figures')
    await told(worker, 'ready')
    const cpu = cpuMeter(worker)
    const producer = role('producer')
    const { done, p50, p99 } = await figures
    const costs = cpu(done)
    await Promise.all([end(producer), end(worker)])
    return { perSecond: done / options.seconds, p50, p99, ...costs }
  },
  /** `options.perSecond` jobs a second, whatever the worker could do; who is far behind is not waited for. */
  async load() {
    const { perSecond, seconds } = options
    const worker = role('worker', { expect: perSecond * seconds, seconds: 3 * seconds })
    await told(worker, 'ready')
    const figures = told(worker, 'figures')
    const cpu = cpuMeter(worker)
    const producer = role('paced')
    const { done, p50, p99 } = await figures
    const costs = cpu(done)
    await Promise.all([end(producer), end(worker)])
    return { p50, p99, ...costs }
  },
  /** What waits is done by several workers at once; a job that more than one ran, or none, is an error. */
  async fleet() {
    await ended(role('fill'))
    const workers = Array.from({ length: options.workers }, () => role('fleet'))
    await Promise.all(workers.map((worker) => told(worker, 'ready')))
    const server = cpuOf(options.serverPid)
    const start = now()
    const telling = workers.map((worker) => told(worker, 'fleet'))
    for (const worker of workers) worker.send({ begin: true })
    const fleet = await Promise.all(telling)
    const spent = fleet.reduce((sum, { cpu }) => sum + cpu, 0)
    const costs = { cpuPer10k: per10k(spent, count), serverPer10k: per10k(server(), count) }
    // Until the last job, not until the last worker has seen that there is none left.
    const seconds = (Math.max(...fleet.map(({ lastAt }) => lastAt)) - start) / 1000
    const ran = fleet.flatMap((each) => each.ran)
    const twice = ran.length - new Set(ran).size
    return { perSecond: count / seconds, errors: twice + Math.abs(count - ran.length), ...costs }
  },
  /** PSS above that of a bare Node that runs beside it: of an idle worker, and after `count` jobs. */
  async memory() {
    const bare = run(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'])
    const worker = role('worker', { expect: count })
    await told(worker, 'ready')
    await wait(2000)
    const above = () => {
      const [mine, its] = [pssOf(worker.pid), pssOf(bare.pid)]
      return mine === null || its === null ? null : mine - its
    }
    const idle = above()
    const figures = told(worker, 'figures')
    await ended(role('fill'))
    await figures
    await wait(1000)
    const after = above()
    const bareMiB = pssOf(bare.pid)
    await Promise.all([end(bare), end(worker)])
    return { idle, after, bareMiB }
  },
}

/** Begins to count the CPU of a worker and of the server; the result tells the seconds for 10,000 of the jobs that were done. */
function cpuMeter(worker) {
  const [own, server] = [cpuOf(worker.pid), cpuOf(options.serverPid)]
  return (done) => ({ cpuPer10k: per10k(own(), done), serverPer10k: per10k(server(), done) })
}

finish(await SCENARIOS[scenario]())
