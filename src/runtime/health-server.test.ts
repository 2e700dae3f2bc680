import { expect, onTestFinished, test } from 'vitest'
import type { HealthReport } from './health.ts'
import { serveHealth } from './health-server.ts'

const WELL: HealthReport = {
  isLive: true,
  isReady: true,
  checks: [{ name: 'loops', isOk: true, detail: 'all on time' }],
}
const LATE: HealthReport = {
  isLive: false,
  isReady: false,
  checks: [
    { name: 'promote', isOk: false, detail: 'the loop promote is late by 40 s' },
    { name: 'store', isOk: true, detail: 'it answered 0.1 s ago' },
  ],
}
const STARTING: HealthReport = { isLive: true, isReady: false, checks: [] }

async function served(report: HealthReport) {
  const server = await serveHealth(() => report, 0)
  onTestFinished(() => server.close())
  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
    return {
      status: answer.status,
      type: answer.headers.get('content-type'),
      cache: answer.headers.get('cache-control'),
      body: await answer.text(),
    }
  }
  return { server, ask }
}

test.each<readonly [path: string, report: HealthReport, status: number, body: string]>([
  ['/livez', WELL, 200, 'ok\n'],
  ['/readyz', WELL, 200, 'ok\n'],
  ['/readyz?verbose=1', WELL, 200, 'ok\n'],
  ['/healthz', WELL, 200, `${JSON.stringify(WELL)}\n`],
  ['/livez', LATE, 503, 'promote: the loop promote is late by 40 s\n'],
  ['/readyz', LATE, 503, 'promote: the loop promote is late by 40 s\n'],
  ['/healthz', LATE, 503, `${JSON.stringify(LATE)}\n`],
  ['/livez', STARTING, 200, 'ok\n'],
  ['/readyz', STARTING, 503, 'not yet\n'],
  ['/healthz', STARTING, 200, `${JSON.stringify(STARTING)}\n`],
  ['/', WELL, 404, 'there are /livez, /readyz and /healthz\n'],
  ['//livez', WELL, 404, 'there are /livez, /readyz and /healthz\n'],
])('%s of %o is answered %i', async (path, report, status, body) => {
  const { ask } = await served(report)

  expect(await ask(path)).toMatchObject({ status, body, cache: 'no-store' })
})

test('HEAD is answered without a body, and whatever would change something with 405', async () => {
  const { ask } = await served(LATE)

  expect(await ask('/livez', 'HEAD')).toMatchObject({ status: 503, body: '' })
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) expect((await ask('/livez', method)).status).toBe(405)
  expect((await ask('/healthz')).type).toBe('application/json; charset=utf-8')
})

test('a port that is taken is an error that says so, and a close lets it go while a client is still connected', async () => {
  const { server, ask } = await served(WELL)
  await expect(serveHealth(() => WELL, server.port)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: `health cannot be served on 127.0.0.1:${server.port}: something listens there already`,
  })
  await expect(serveHealth(() => WELL, 0, '203.0.113.1')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await ask('/livez')

  await server.close()

  const again = await serveHealth(() => WELL, server.port)
  await again.close()
})
