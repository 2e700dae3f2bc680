import { expect, it } from 'vitest'
import { parseServerUrl } from './server-url.ts'

it.each([
  'mysql://u:p%40%2F%3F%23@db:3306/app?ca=/etc/a@b.pem',
  'postgres:///app?host=/run/postgresql',
  'mysql://u:p@ss@db/app',
])('%s is read as the URL class reads it', (url) => {
  expect(parseServerUrl(url).href).toBe(new URL(url).href)
})

it.each([
  'mysql://u:12?secret@db/app',
  'mysql://u:12/secret@db/app',
  'mysql://u:12#secret@db/app',
  'mysql:u:secret@db/app',
  'mysql://u:sec%ret@db/app',
])('%s is not read: a part of its password would be shown as something else', (url) => {
  expect(() => parseServerUrl(url)).toThrow()
})
