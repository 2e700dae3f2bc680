/** What a handler leaves running in an isolate, and what the next job there notices of it: nothing. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../support/temp-store.ts'
import { KINDS, scene } from './scene.ts'

describe.each(KINDS)('what a job has left running in a %s', (_, job) => {
  test('neither writes nor reads the checkpoint of the next one', async () => {
    const { result } = await scene()

    await result(job, 'leavesBranch')

    expect(await result(job, 'meetsBranch')).toEqual([['LEASE_LOST', 'LEASE_LOST'], 'its own'])
  })

  test('is told so, which harms the next one in nothing when nobody catches it', async () => {
    const { result } = await scene()

    await result(job, 'leavesLoop')

    expect(await result(job, 'meetsLoop')).toBe('its own')
  })

  test('is not there for the next one when it is a request that does not end', async () => {
    const { mill, result } = await scene()
    const pipe = join(tempDir(), 'pipe')
    execFileSync('mkfifo', [pipe])
    // To open it for both ends what waits for the other one.
    onTestFinished(() => closeSync(openSync(pipe, 'r+')))

    const first = await result(job, 'place')
    await (await mill.enqueue(job, { how: 'leavesOpening', text: pipe })).result({ timeout: '30s' })

    expect(await result(job, 'place')).not.toBe(first)
  })

  test('stays when it is connections that are kept alive', async () => {
    const { mill, result } = await scene()
    const server = createServer((_request, response) => response.end('x'.repeat(100_000)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    // A server that listens on TCP has one.
    const { port } = server.address() as AddressInfo

    const first = await result(job, 'place')
    const sent = await mill.enqueue(job, { how: 'keepsConnections', text: `http://127.0.0.1:${port}/` })

    expect(await sent.result({ timeout: '30s' })).toBe(1)
    expect(await result(job, 'place')).toBe(first)
  })
})
