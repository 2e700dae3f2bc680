/** A file or a folder that may not be written to, in a child process of an ordinary user. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import { giveToOrdinaryUser, ordinaryUser } from '../support/other-user.ts'
import { tally } from '../support/tally.ts'
import { tempStorePath } from '../support/temp-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })
const SOURCE = new URL('../../src/index.ts', import.meta.url).href

interface Answer {
  readonly step: string
  readonly code?: string
  readonly kind?: string
  readonly message?: string
  readonly hint?: string
  readonly count?: number
}

/** What an ordinary user is answered when opening, looking and enqueueing. `shut`: a folder that is shut once the store is open. */
async function asOrdinaryUser(path: string, shut?: string): Promise<readonly Answer[]> {
  const script = `import { defineJob, Millrace } from ${JSON.stringify(SOURCE)}
const tell = (step, rest) => console.log(JSON.stringify({ step, ...rest }))
const fault = (step) => ({ code, kind, message, hint }) => tell(step, { code, kind, message, hint })
const mill = await Millrace.open({ store: ${JSON.stringify(`sqlite:${path}`)} }).catch(fault('open'))
if (mill !== undefined) {
  ${shut === undefined ? '' : `(await import('node:fs')).chmodSync(${JSON.stringify(shut)}, 0)`}
  await mill.count().then(({ count }) => tell('count', { count }), fault('count'))
  await mill.enqueue(defineJob({ name: 'plain' }), 1).then(() => tell('enqueue', {}), fault('enqueue'))
  await mill.close()
}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...ordinaryUser(),
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  await new Promise((done) => child.on('close', done))
  const answers = text
    .split('\n')
    .filter(Boolean)
    .map((line): Answer => JSON.parse(line))
  tally({ 'refused calls': answers.filter(({ code }) => code !== undefined).length })
  return answers
}

/** A closed store with one acknowledged job, which belongs to the ordinary user. */
async function storeWithOneJob(): Promise<string> {
  const path = tempStorePath()
  const mill = await Millrace.open({ store: `sqlite:${path}` })
  await mill.enqueue(plain, 'acknowledged')
  await mill.close()
  giveToOrdinaryUser(dirname(path), ...readdirSync(dirname(path)).map((name) => join(dirname(path), name)))
  onTestFinished(() => {
    if (existsSync(dirname(path))) chmodSync(dirname(path), 0o700)
  })
  return path
}

describe('what may not be written to', () => {
  test.each([
    ['file', 0o400, 0o700],
    ['folder', 0o600, 0o500],
    ['file and folder', 0o400, 0o500],
  ])(
    'a %s that is read-only is STORE_READ_ONLY, and what was acknowledged is kept',
    async (_, fileMode, folderMode) => {
      const path = await storeWithOneJob()
      chmodSync(path, fileMode)
      chmodSync(dirname(path), folderMode)

      const answers = await asOrdinaryUser(path)

      const refused = answers.filter(({ code }) => code !== undefined)
      expect(refused.length, JSON.stringify(answers)).toBeGreaterThan(0)
      for (const answer of refused) {
        expect(answer).toMatchObject({ code: 'STORE_READ_ONLY' })
        expect(answer.message).toContain(path)
        expect(answer.hint).toContain('permission')
      }
      expect(answers).not.toContainEqual(expect.objectContaining({ step: 'enqueue', code: undefined }))
      chmodSync(dirname(path), 0o700)
      chmodSync(path, 0o600)
      const mill = await Millrace.open({ store: `sqlite:${path}` })
      expect(await mill.count()).toMatchObject({ count: 1 })
      await mill.close()
    },
  )

  test('a folder that may not be entered is STORE_UNREACHABLE for a store that is open, until it may be again', async () => {
    const path = await storeWithOneJob()

    const answers = await asOrdinaryUser(path, dirname(path))

    const refusal = { code: 'STORE_UNREACHABLE', kind: 'transient', hint: expect.stringContaining('permission') }
    expect(answers).toMatchObject([
      { step: 'count', ...refusal },
      { step: 'enqueue', ...refusal },
    ])
  })

  test('a file whose folder is in one that may not be entered is STORE_UNREACHABLE', async () => {
    const path = await storeWithOneJob()
    chmodSync(dirname(path), 0)
    onTestFinished(() => chmodSync(dirname(path), 0o700))

    expect(await asOrdinaryUser(join(dirname(path), 'inner', 'new.db'))).toMatchObject([
      { step: 'open', code: 'STORE_UNREACHABLE', kind: 'transient' },
    ])
  })

  test('a new file in a folder that is read-only is STORE_READ_ONLY', async () => {
    const path = join(dirname(await storeWithOneJob()), 'new.db')
    chmodSync(dirname(path), 0o500)

    expect(await asOrdinaryUser(path)).toMatchObject([{ step: 'open', code: 'STORE_READ_ONLY' }])
  })
})
