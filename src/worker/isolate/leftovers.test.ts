import { lookup, lookupService } from 'node:dns'
import { readFile } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { leftSince, requestsEnded, resourcesNow } from './leftovers.ts'

test.each<[string, string, () => unknown]>([
  ['a file that is read, awaited by nobody', 'FSReqPromise', () => void stat('/')],
  ['the same with a callback', 'FSReqCallback', () => readFile(import.meta.filename, () => {})],
  ['a name that is looked up', 'GetAddrInfoReqWrap', () => lookup('localhost', () => {})],
  ['an address that is looked up', 'GetNameInfoReqWrap', () => lookupService('127.0.0.1', 1, () => {})],
  ['a connection that is being made', 'ConnectWrap', connectNowhere],
])('%s is left behind until it has ended', async (_, kind, begin) => {
  const before = resourcesNow()

  begin()
  await new Promise<void>(process.nextTick)

  expect(leftSince(before, false)).toEqual([kind])
  await requestsEnded(before)
  expect(leftSince(before, false)).toEqual([])
})

test('a file that is being closed is left behind until it is', async () => {
  const file = await open(import.meta.filename)
  await new Promise(setImmediate)
  const before = resourcesNow()

  const closed = file.close()

  expect(leftSince(before, false)).toEqual(['CloseReq'])
  await closed
})

function connectNowhere(): void {
  const socket = connect(1, '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
}
