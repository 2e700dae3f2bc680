/** What stands around a `millrace work`, with or without a supervisor: its pid file and its health port. */
import { MillraceError } from '../core/errors.ts'
import type { HealthReport } from '../runtime/health.ts'
import { type Output, say } from './output.ts'
import { writePidFile } from './pid-file.ts'

/** As the flags say. */
export interface AroundOptions {
  readonly pidFile: string | undefined
  readonly healthPort: number | undefined
  readonly healthHost: string | undefined
}

/** What has been taken for a `millrace work` that has not begun yet. */
export interface Around {
  /** From now on probes are answered by this; before, that it starts. */
  answerBy(report: () => HealthReport): void
  /** Says on stderr where probes are answered, if they are. */
  tell(output: Output): void
  end(): Promise<void>
}

const STARTING: HealthReport = {
  isLive: true,
  isReady: false,
  checks: [{ name: 'work', isOk: false, detail: 'it is starting' }],
}

/** The same from the options of the command line. */
export function aroundOptions({ pidFile, healthPort, healthHost }: Readonly<Record<string, unknown>>): AroundOptions {
  const port = healthPort === undefined ? undefined : portOf(String(healthPort))
  if (pidFile === '') throw usage('--pid-file names no file', '--pid-file /run/shop/millrace.pid')
  // The empty one would be every address of the machine: a variable that is not set, say.
  if (healthHost === '') throw usage('--health-host names no address', '--health-port 8080 --health-host 0.0.0.0')
  if (healthHost !== undefined && port === undefined) {
    throw usage('--health-host needs --health-port', '--health-port 8080 --health-host 0.0.0.0')
  }
  return {
    pidFile: typeof pidFile === 'string' ? pidFile : undefined,
    healthPort: port,
    healthHost: typeof healthHost === 'string' ? healthHost : undefined,
  }
}

/**
 * Takes it all before any work has begun, so that two that are told the same never work side by side; `end` gives it back. Throws
 * `CONFIG_INVALID` with nothing taken when one thing cannot be had.
 */
export async function beginAround({ pidFile, healthPort, healthHost }: AroundOptions): Promise<Around> {
  const removePidFile = pidFile === undefined ? undefined : writePidFile(pidFile)
  let report = () => STARTING
  const serve = async (port: number) => {
    const { serveHealth } = await import('../runtime/health-server.ts')
    return await serveHealth(() => report(), port, healthHost)
  }
  const server =
    healthPort === undefined
      ? undefined
      : await serve(healthPort).catch((error) => {
          removePidFile?.()
          throw error
        })
  return {
    answerBy: (next) => {
      report = next
    },
    tell: (output) => {
      if (server === undefined) return
      const host = healthHost ?? '127.0.0.1'
      say(output, `Health: http://${host.includes(':') ? `[${host}]` : host}:${server.port}/healthz`)
    },
    end: async () => {
      removePidFile?.()
      await server?.close()
    },
  }
}

function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw usage(
    `--health-port is ${text === '' ? 'empty' : text}; it must be a port from 0 to 65535, 0 for any free one`,
    '--health-port 8080',
  )
}

function usage(message: string, example: string): MillraceError {
  return new MillraceError('USAGE', message, { hint: `Write for example: ${example}` })
}
