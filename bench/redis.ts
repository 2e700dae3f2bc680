/** The Redis that BullMQ uses: the one of this machine, or one of a measurement's own that writes to the disk before it answers. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** Where a Redis listens, and its process where it is on this machine. */
export interface Redis {
  readonly url: string
  readonly pid: number | undefined
  /** Leaves nothing of `prefix` behind. */
  remove(prefix: string): Promise<void>
}

const HOST = '127.0.0.1'
const SHARED_PORT = 6379
const STARTS_WITHIN_MS = 10_000
const ANSWERS_WITHIN_MS = 5_000
const DELETE_KEYS = `local c = '0' repeat local r = redis.call('SCAN', c, 'MATCH', ARGV[1], 'COUNT', 1000) c = r[1] for _, k in ipairs(r[2]) do redis.call('UNLINK', k) end until c == '0' return 1`

/** The Redis that runs on this machine, at its own settings. Rejects when none answers. */
export async function sharedRedis(): Promise<Redis> {
  const pid = /process_id:(\d+)/.exec(await say(SHARED_PORT, 'INFO server'))?.[1]
  return {
    url: `redis://${HOST}:${SHARED_PORT}`,
    pid: pid === undefined ? undefined : Number(pid),
    async remove(prefix) {
      await say(SHARED_PORT, `EVAL "${DELETE_KEYS}" 0 ${prefix}:*`)
    },
  }
}

/**
 * A Redis as durable as the databases beside it: what it acknowledges is on the disk (`appendfsync always`). Its files are in `folder`,
 * its process ends with `remove`. Rejects when the program is not there or does not start.
 */
export async function durableRedis(folder: string): Promise<Redis> {
  const port = await freePort()
  const args = ['--port', String(port), '--bind', HOST, '--dir', folder, '--save', '']
  const server = spawn('redis-server', [...args, '--appendonly', 'yes', '--appendfsync', 'always'], { stdio: 'ignore' })
  const end = () => server.kill('SIGKILL')
  process.once('exit', end)
  await answers(server, port)
  return {
    url: `redis://${HOST}:${port}`,
    pid: server.pid,
    async remove() {
      process.off('exit', end)
      if (server.exitCode !== null || server.signalCode !== null) return
      const gone = once(server, 'exit')
      end()
      await gone
    },
  }
}

/** What keeps `sharedRedis` from being used, if anything. */
export async function sharedRedisFault(port = SHARED_PORT): Promise<string | undefined> {
  try {
    await say(port, 'PING')
    return undefined
  } catch (error) {
    return `Redis does not answer at ${HOST}:${port}: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** What keeps `durableRedis` from starting, if anything. */
export function durableRedisFault(): string | undefined {
  const { error } = spawnSync('redis-server', ['--version'], { stdio: 'ignore' })
  return error && `redis-server cannot be run: ${error.message}`
}

async function answers(server: ChildProcess, port: number): Promise<void> {
  let fault: Error | undefined
  server.once('error', (error) => {
    fault = error
  })
  const late = performance.now() + STARTS_WITHIN_MS
  while (performance.now() < late && fault === undefined && server.exitCode === null) {
    try {
      await say(port, 'PING')
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  server.kill('SIGKILL')
  throw fault ?? new Error(`redis-server does not answer on port ${port}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}

/** Sends one command in a line and gives the beginning of the answer. */
function say(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: HOST, port }, () => socket.write(`${command}\r\n`))
    socket.setTimeout(ANSWERS_WITHIN_MS, () => socket.destroy(new Error('it took too long')))
    socket.once('error', reject)
    socket.once('data', (chunk) => {
      resolve(String(chunk))
      socket.destroy()
    })
  })
}
