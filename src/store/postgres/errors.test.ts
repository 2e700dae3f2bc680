import { expect, it } from 'vitest'
import { translateError } from './errors.ts'

it('a password that the server asks for and the URL has not is a refused connection, with what to do', () => {
  const said = 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'

  expect(translateError(new Error(said), 'postgres h:5432/d')).toMatchObject({
    kind: 'schema',
    code: 'STORE_UNREACHABLE',
    message: `postgres h:5432/d refused the connection: ${said}`,
    hint: expect.stringContaining('password'),
  })
})

it.each([
  ['08P01', 'unsupported startup parameter: options'],
  ['42P05', 'prepared statement "m0" already exists'],
  ['26000', 'prepared statement "m0" does not exist'],
])('a pooler that nobody told us of is named, with what to do: %s', (code, said) => {
  expect(translateError(Object.assign(new Error(said), { code }), 'postgres h:5432/d')).toMatchObject({
    kind: 'schema',
    code: 'STORE_UNREACHABLE',
    hint: expect.stringContaining('pooler=transaction'),
  })
})
