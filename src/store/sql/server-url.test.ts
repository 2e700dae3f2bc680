import { expect, it } from 'vitest'
import { isLocal, parseServerUrl } from './server-url.ts'

it.each([
  'mysql://u:p%40%2F%3F%23@db:3306/app?ca=/etc/a%40b.pem',
  'postgres:///app?host=/run/postgresql',
  'mysql://u:p@ss@db/app',
  'mysql://u:p\\ss@db/app',
  ' mysql://u:p@db/app\n',
])('%j is read as the URL class reads it', (url) => {
  expect(parseServerUrl('mysql', url).href).toBe(new URL(url).href)
})

it.each([
  'mysql://u:12?secret@db/app',
  'mysql://u:12?a=secret@db/app',
  'mysql://u:12?a=b&pool=secret@db/app',
  'mysql://u:12?ca=secret@db/app',
  'mysql://u:12/secret@db/app',
  'mysql://u:12/secret?a=b@db/app',
  'mysql://u:12#secret@db/app',
  'mysql://u:12#',
  'mysql://u:12\\?a=secret@db/app',
  'mysql://u:se@cret?a=b@db/app',
  'mysql://u:se@cret/b@db/app',
  'mysql://u:se@cret#b@db/app',
  'mysql:u:secret@db/app',
  'mysql:/u:12?a=://secret@db/app',
  'mysql://u:sec%ret@db/app',
])('%s is not read: a part of its password would be shown as something else', (url) => {
  expect(() => parseServerUrl('mysql', url)).toThrow(
    expect.objectContaining({
      code: 'STORE_URL',
      message: 'the mysql store URL cannot be read',
      hint: expect.stringContaining('%XX'),
    }),
  )
})

it.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.255.3.4', true],
  ['::1', true],
  ['/run/postgresql', true],
  ['127.db.example.com', false],
  ['127.0.0.1.example.com', false],
  ['128.0.0.1', false],
  ['::2', false],
  ['localhost.example.com', false],
])('%s is this machine: %s', (host, isHere) => {
  expect(isLocal(host)).toBe(isHere)
})
