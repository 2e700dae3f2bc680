/**
 * `/livez`, `/readyz` and `/healthz` for orchestrators: 200 when all is well, else 503 with what is not. The first two answer with a
 * line, the third with the whole report as JSON. No secrets and nothing of jobs stands in any of them, and nothing can be changed
 * here; still only this machine is served unless a host is named.
 */
import { createServer, type Server } from 'node:http'
import { ConfigError } from '../core/errors.ts'
import type { HealthReport } from './health.ts'

/** A server of reports, until it is closed. */
export interface HealthServer {
  /** The port that it listens on. */
  readonly port: number
  close(): Promise<void>
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const
const ANSWER_WITHIN_MS = 5_000

/** Listens on a port of `host`, 0 for any free one. Throws `CONFIG_INVALID` when that cannot be had. */
export async function serveHealth(report: () => HealthReport, port: number, host = '127.0.0.1'): Promise<HealthServer> {
  const server = createServer(
    { requestTimeout: ANSWER_WITHIN_MS, headersTimeout: ANSWER_WITHIN_MS },
    (request, response) => {
      const [status, type, body] =
        request.method === 'GET' || request.method === 'HEAD'
          ? answer(request.url ?? '', report())
          : ([405, 'text/plain', 'only GET is answered\n'] as const)
      response.writeHead(status, { ...HEADERS, 'content-type': `${type}; charset=utf-8` })
      response.end(request.method === 'HEAD' ? undefined : body)
    },
  )
  await listen(server, port, host)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function answer(url: string, report: HealthReport): readonly [status: number, type: string, body: string] {
  const path = url.split('?')[0]
  if (path === '/livez') return line(report.isLive, report)
  if (path === '/readyz') return line(report.isReady, report)
  if (path === '/healthz') return [report.isLive ? 200 : 503, 'application/json', `${JSON.stringify(report)}\n`]
  return [404, 'text/plain', 'there are /livez, /readyz and /healthz\n']
}

function line(isOk: boolean, { checks }: HealthReport): readonly [status: number, type: string, body: string] {
  if (isOk) return [200, 'text/plain', 'ok\n']
  const wrong = checks.filter((check) => !check.isOk).map(({ name, detail }) => `${name}: ${detail}`)
  return [503, 'text/plain', `${wrong.length === 0 ? 'not yet' : wrong.join('\n')}\n`]
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
  } catch (error) {
    throw new ConfigError('CONFIG_INVALID', `health cannot be served on ${host}:${port}: ${reasonOf(error)}`, {
      fields: { host, port },
      hint: 'Name another port, or stop what listens there.',
      cause: error,
    })
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EADDRINUSE'
    ? 'something listens there already'
    : error instanceof Error
      ? error.message
      : String(error)
}
