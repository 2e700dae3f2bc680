import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { expect, it } from 'vitest'
import { tempDir } from '../../../test/support/temp-store.ts'
import { certificatesOf, isLocal, parseServerUrl } from './server-url.ts'

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

const [one = '', other = ''] = rootCertificates

it.each([
  ['one', one],
  ['several, with what tools write between them', `# one\n${one}\n# other\n${other}\n`],
  ['one with the line ends of Windows', one.replaceAll('\n', '\r\n')],
  ['one with its uses, as openssl writes it', one.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')],
])('a ca file with %s is taken', (_, text) => {
  expect(certificatesOf('mysql', urlOf(text))).toBe(text)
})

it.each([
  ['nothing', '', 'holds no certificate'],
  ['a certificate as bytes', '0\x82\x04', 'holds no certificate'],
  ['a key', one.replaceAll('CERTIFICATE', 'PRIVATE KEY'), 'holds no certificate'],
  ['a certificate that was cut off', one.slice(0, 200), 'cannot be read'],
  ['a certificate that is none', one.replace(/[A-Za-z0-9+/]{60}/, 'x'.repeat(60)), 'cannot be read'],
  ['a second one that is none', `${one}\n${other.slice(0, 200)}`, 'cannot be read'],
])('a ca file with %s is refused', (_, text, reason) => {
  expect(() => certificatesOf('mysql', urlOf(text))).toThrow(
    expect.objectContaining({ code: 'STORE_URL', message: expect.stringContaining(reason) }),
  )
})

function urlOf(text: string): URL {
  const file = join(tempDir(), 'ca.pem')
  writeFileSync(file, text)
  return new URL(`mysql://u@h/d?ca=${encodeURIComponent(file)}`)
}
