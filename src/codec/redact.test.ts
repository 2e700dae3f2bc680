import { describe, expect, it } from 'vitest'
import { errorText, redactText } from './redact.ts'

// Made at run time from parts, so that no scanner takes this file for a leak. `S` stands for the secret itself.
const A = 'aB3dE5fG7hJ9kL1mN2pQ'
const jwt = ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiIxMjM0NTY3ODkwIn0', 'dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P'].join('.')
const aws = `${'wJalrXUtnFEMI/K7MDENG'}/${'bPxRfiCYEXAMPLEKEY'}`
const akia = `${'AKIA'}IOSFODNN7EXAMPLE`
const pem = (kind: string) =>
  ['-----BEGIN ', kind, '-----\nMIIEpAIBAAKCAQEA', A, '\n', A, '\n-----END ', kind, '-----'].join('')
const basic = Buffer.from(`admin:${A}`).toString('base64')

const CORPUS: readonly (readonly [string, readonly string[]])[] = [
  // Header lines and schemes.
  ...['Bearer', 'bearer', 'BEARER', 'Digest', 'ApiKey', 'Negotiate'].map((s) => [`401 for ${s} ${A}`, [A]] as const),
  [`Authorization: Bearer ${jwt}`, [jwt]],
  [`authorization=${A}`, [A]],
  [`{"authorization":"Bearer ${A}","a":1}`, [A]],
  [`{ Authorization: 'Basic ${basic}' }`, [basic]],
  [`sent Basic ${basic}`, [basic]],
  [`Proxy-Authorization: Digest username="x", response="${A}"`, [A]],
  [`Cookie: sid=${A}; theme=dark; csrf=${A}`, [A]],
  [`Set-Cookie: session=${A}; HttpOnly`, [A]],
  [`X-Api-Key: ${A}`, [A]],
  [`x-auth-token: ${A}`, [A]],
  [`x-vault-token: ${A}`, [A]],
  [`Authorization: ${A} ${A}x`, [A]],
  // Names and values.
  ...[
    'password',
    'passwd',
    'pwd',
    'pass',
    'passphrase',
    'PASSWORD',
    'Password',
    'secret',
    'client_secret',
    'api_key',
  ].map((name) => [`connect failed: ${name}=${A} host=db`, [A]] as const),
  ...['apikey', 'api-key', 'access_token', 'refresh_token', 'auth_token', 'token', 'private_key', 'session_id'].map(
    (name) => [`{"user":"a","${name}":"${A}","b":1}`, [A]] as const,
  ),
  ...['DB_PASSWORD', 'AWS_SECRET_ACCESS_KEY', 'STRIPE_SECRET_KEY', 'NPM_TOKEN', 'JWT_SECRET', 'SIGNING_KEY'].map(
    (name) => [`env ${name}=${A}\nNEXT=1`, [A]] as const,
  ),
  ...['userPassword', 'dbPassword', 'clientSecret', 'accessToken', 'apiKey', 'secretKey', 'passwordHash'].map(
    (name) => [`{ ${name}: '${A}', b: 1 }`, [A]] as const,
  ),
  [`password: ${A}`, [A]],
  [`password = "two words ${A}"`, [A, 'two words']],
  [`password='it\\'s ${A}'`, [A]],
  [`"password" : "quote \\" then ${A}"`, [A]],
  [`password => ${A}`, [A]],
  [`password="never closed ${A}`, [A]],
  [`{\\"password\\":\\"${A}\\"}`, [A]],
  [`{\\"user\\":{\\"token\\":\\"${A}\\"}}`, [A]],
  [`?user=a&password=${A}&x=1`, [A]],
  [`GET /cb?access_token=${A}#top`, [A]],
  [`Server=db;User Id=sa;Password=${A};Encrypt=true`, [A]],
  [`Server=db;Pwd=${A};`, [A]],
  [`AccountName=a;AccountKey=${A}${A}==;Suffix=x`, [A]],
  [`SharedAccessKey=${A}=`, [A]],
  [`https://a.blob.example/c?sv=1&sig=${A}%3D`, [A]],
  [`https://s3.example/k?X-Amz-Signature=${A}`, [A]],
  [`https://s3.example/k?X-Amz-Credential=${akia}/2026`, [akia]],
  [`run --password ${A} --verbose`, [A]],
  [`run --api-key=${A}`, [A]],
  [`run --auth-token "${A}"`, [A]],
  [`password[0]=${A}`.replace('[0]', ''), [A]],
  [`user[password]=${A}`, [A]],
  [`password:${A},user:bob`, [A]],
  // URLs.
  ...['postgres', 'mysql', 'redis', 'mongodb+srv', 'amqp', 'https', 'ftp'].map(
    (scheme) => [`cannot reach ${scheme}://app:${A}@db.internal:5432/app?x=1`, [A]] as const,
  ),
  [`https://${A}@github.com/a/b.git`, [A]],
  [`redis://:${A}@cache:6379`, [A]],
  [`postgres://u:p@${A}@db/app`, [A]],
  [`postgres://u:a/${A}@db/app`, [A]],
  [`'postgres://u:${A}@db/app'`, [A]],
  // Shapes.
  [`jwt malformed ${jwt}`, [jwt, 'eyJzdWIi']],
  [`token was ${jwt.slice(0, 40)}`, [jwt.slice(0, 40)]],
  [`key ${akia} is not allowed`, [akia]],
  [`${'ASIA'}IOSFODNN7EXAMPLE`, [`${'ASIA'}IOSFODNN7EXAMPLE`]],
  [`signed with ${aws}`, [aws]],
  [`(${aws})`, [aws]],
  ...['RSA PRIVATE KEY', 'PRIVATE KEY', 'EC PRIVATE KEY', 'OPENSSH PRIVATE KEY', 'CERTIFICATE', 'PGP MESSAGE'].map(
    (kind) => [`bad key:\n${pem(kind)}\nafter`, [A]] as const,
  ),
  [pem('PRIVATE KEY').replaceAll('\n', '\\n'), [A]],
  [pem('PRIVATE KEY').slice(0, 60), [A]],
  ...['ghp_', 'gho_', 'ghs_', 'github_pat_', 'glpat-', 'npm_'].map((p) => [`remote said ${p}${A}`, [A]] as const),
  ...[`xoxb-${A}`, `sk_live_${A}`, `sk-${A}`, `rk_test_${A}`, `whsec_${A}`, `AIza${A}${A}`, `ya29.${A}`].map(
    (text) => [`refused: ${text}`, [A]] as const,
  ),
  [`SG.${A}.${A}`, [A]],
  [`https://hooks.slack.com/services/T00/B00/${A}`, [A]],
]

describe('secrets in text', () => {
  it('has a corpus of at least 100', () => {
    expect(CORPUS.length).toBeGreaterThanOrEqual(100)
  })

  it.each(CORPUS)('are not stored: %s', (text, secrets) => {
    const lines = [text, `Error: ${text}`, `a line before\n${text}\n    at run (file.ts:1:2)`]
    const error = Object.assign(new Error(text, { cause: new Error(text) }), { code: text })

    const stored = [...lines.map((line) => redactText(line)), JSON.stringify(errorText(error)), errorText(text).message]

    for (const secret of secrets) for (const each of stored) expect(each).not.toContain(secret)
  })

  it.each([
    'connect ECONNREFUSED 127.0.0.1:5432',
    'Unexpected token } in JSON at position 12',
    'Basic authentication failed for user bob',
    'GET https://example.com/path@2x.png returned 500',
    'GET http://localhost:4873/@scope/pkg returned 404',
    "ENOENT: no such file or directory, open '/home/app/data/file.txt'",
    'commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12 is missing',
    'job 0197c0de-0000-7000-8000-000000000001 timed out after 30s',
    'the passenger list has 3 entries: a, b, c',
    'stopped by signal: SIGTERM, author: bob, pinned: true, single=1',
    'mail to someone@example.com bounced',
  ])('leave alone what is none: %s', (text) => {
    expect(redactText(text)).toBe(text)
  })

  it('keep what stands around them', () => {
    expect(redactText(`cannot reach postgres://app:${A}@db:5432/app (password=${A})`)).toBe(
      'cannot reach postgres://[redacted]@db:5432/app (password=[redacted]',
    )
  })
})

describe('long text', () => {
  it.each([0, 1, 100, 8_191, 8_192, 8_193, 100_000, 10_000_000])('of %i characters is cut to 8 KiB', (length) => {
    const cut = redactText('ä '.repeat(length / 2))

    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(8_192)
    expect(cut).not.toContain('\ufffd')
  })

  it('hides a secret wherever the cut goes through it', () => {
    for (let at = 24_576 - 60; at <= 24_576; at++) {
      const padding = `${'password=x '.repeat(2_300).slice(0, at - 1)} `
      expect(redactText(`${padding}ghp_${A} more text`)).not.toMatch(/ghp|aB3/)
      expect(redactText(`${padding}${jwt} ${'more '.repeat(9_999)}`)).not.toMatch(/eyJ/)
    }
  })

  it('takes no longer for text made to be slow', () => {
    const seeds = [
      'a',
      ' ',
      '=',
      '"',
      '\\',
      '\\"',
      'password',
      'password=',
      'password="',
      'password=\\',
      'token ',
      'eyJ',
      '-eyJ',
      'eyJ.',
      '-----BEGIN A-----',
      '-----BEGIN ',
      'http://',
      'http://a:',
      'a://a',
      'a://b:c',
      'Bearer ',
      'Basic a',
      '--token ',
      'x-a',
      'x-',
      'authorization:',
      'authorization ',
      'cookie\\',
      'AKIA',
      'sk_',
      'SG.',
      'A/',
      'keyKey',
      'secret-',
      "'",
      '`',
    ]
    const started = performance.now()
    for (const seed of seeds)
      for (const end of ['', '!', '"', '\n']) redactText(seed.repeat(300_000 / seed.length) + end)

    expect((performance.now() - started) / (seeds.length * 4)).toBeLessThan(50)
  })
})

describe('anything thrown', () => {
  const hostile = {
    get message(): string {
      throw new Error('no')
    },
    get stack(): string {
      throw new Error('no')
    },
  }
  const circular: Record<string, unknown> = { a: 1 }
  circular.self = circular
  const selfCaused = new Error('round')
  selfCaused.cause = selfCaused
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const symbolName = Object.assign(new Error('x'), { name: Symbol('n') })
  const throwingInspect = {
    [Symbol.for('nodejs.util.inspect.custom')]() {
      throw new Error('no')
    },
  }

  it.each<[string, unknown, Partial<ReturnType<typeof errorText>>]>([
    ['an error', new TypeError('bad'), { name: 'TypeError', message: 'bad' }],
    ['an error with a code', Object.assign(new Error('x'), { code: 'ENOENT' }), { code: 'ENOENT' }],
    ['an error with a number as code', Object.assign(new Error('x'), { code: 7 }), { code: '7' }],
    ['text', 'plain', { name: 'string', message: 'plain' }],
    ['undefined', undefined, { name: 'undefined', message: 'undefined' }],
    ['null', null, { name: 'null', message: 'null' }],
    ['a number', 42, { name: 'number', message: '42' }],
    ['a symbol', Symbol('s'), { name: 'symbol', message: 'Symbol(s)' }],
    ['a function', () => 1, { name: 'function' }],
    ['an object', { a: 1 }, { name: 'object', message: '{ a: 1 }' }],
    ['what looks like an error', { message: 'close', name: 'Custom' }, { name: 'Custom', message: 'close' }],
    ['getters that throw', hostile, { name: 'object' }],
    ['an object in a circle', circular, { name: 'object' }],
    ['an error that causes itself', selfCaused, { message: 'round' }],
    ['a revoked proxy', revoked.proxy, { name: 'object' }],
    ['a symbol as name', symbolName, { name: 'Error', message: 'x' }],
    ['an inspect method that throws', throwingInspect, { message: 'a object that cannot be shown' }],
    ['no prototype', Object.create(null), { name: 'object' }],
  ])('becomes text: %s', (_, thrown, expected) => {
    const told = errorText(thrown)

    expect(told).toMatchObject(expected)
    expect(Object.values(told).every((each) => typeof each === 'string' && each.length <= 8_192)).toBe(true)
  })

  it('is short when its message has 10 MB, and keeps its frames', () => {
    const told = errorText(new Error('x '.repeat(5_000_000)))

    expect(Buffer.byteLength(told.message)).toBeLessThanOrEqual(8_192)
    expect(told.stack).toContain('\n    at ')
    expect(Buffer.byteLength(told.stack ?? '')).toBeLessThanOrEqual(8_192)
  })

  it('tells what caused it', () => {
    const told = errorText(new Error('fetch failed', { cause: new Error('connect ECONNREFUSED', { cause: 'cable' }) }))

    expect(told.stack).toContain('Caused by: Error: connect ECONNREFUSED\nCaused by: cable')
  })
})
