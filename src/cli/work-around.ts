/** What stands around a `millrace work`, with or without a supervisor: its pid file and its health port. */
import { MillraceError } from '../core/errors.ts'
import type { HealthReport } from '../runtime/health.ts'
import { serveHealth } from '../runtime/health-server.ts'
import { writePidFile } from './pid-file.ts'

/** As the flags say. */
export interface AroundOptions {
  readonly pidFile: string | undefined
  readonly healthPort: number | undefined
  readonly healthHost: string | undefined
}

/** The same from the options of the command line. */
export function aroundOptions({ pidFile, healthPort, healthHost }: Readonly<Record<string, unknown>>): AroundOptions {
  const port = healthPort === undefined ? undefined : Number(healthPort)
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new MillraceError('USAGE', `--health-port is ${String(healthPort)}; it must be a port`, {
      hint: 'Write for example: --health-port 8080',
    })
  }
  if (healthHost !== undefined && port === undefined) {
    throw new MillraceError('USAGE', '--health-host needs --health-port', {
      hint: 'Write: --health-port 8080 --health-host 0.0.0.0',
    })
  }
  return {
    pidFile: typeof pidFile === 'string' ? pidFile : undefined,
    healthPort: port,
    healthHost: typeof healthHost === 'string' ? healthHost : undefined,
  }
}

/** Begins it all; `end` takes it away. */
export async function beginAround(
  { pidFile, healthPort, healthHost }: AroundOptions,
  report: () => HealthReport,
): Promise<{ end(): Promise<void> }> {
  const removePidFile = pidFile === undefined ? undefined : writePidFile(pidFile)
  const server =
    healthPort === undefined
      ? undefined
      : await serveHealth(report, healthPort, healthHost).catch((error) => {
          removePidFile?.()
          throw error
        })
  return {
    end: async () => {
      removePidFile?.()
      await server?.close()
    },
  }
}
