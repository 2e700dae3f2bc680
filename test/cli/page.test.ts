/** docs/command-line.md and docs/errors.md say what is there, all of it and nothing else. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/failure.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const COMMAND_LINE = read('docs/command-line.md')
const ERRORS = read('docs/errors.md')

async function commands() {
  const names = [
    'init',
    'work',
    'test',
    'job',
    'job-list',
    'job-change',
    'queue',
    'dead',
    'doctor',
    'migrate',
    'rekey',
    'store',
    'worker',
  ]
  const modules = await Promise.all(names.map((name) => import(`../../src/cli/commands/${name}.ts`)))
  return modules.flatMap((module) => module.COMMANDS) as { path: string; aliases?: string[]; options?: string[][] }[]
}

describe('the page about the command line', () => {
  test('lists every command and alias', async () => {
    for (const { path, aliases = [] } of await commands()) {
      for (const name of [path, ...aliases]) expect(COMMAND_LINE, name).toMatch(new RegExp(`\`${name}[\` ]`))
    }
  })

  test('names no command that is not there', async () => {
    const known = new Set((await commands()).flatMap(({ path, aliases = [] }) => [path, ...aliases]))
    const named = [...COMMAND_LINE.matchAll(/`([a-z]+:[a-z]+)`/g)].map(([, name]) => name ?? '')

    expect(named.filter((name) => !known.has(name) && name !== 'sqlite:')).toEqual([])
  })

  test('gives every exit code', () => {
    const listed = [...COMMAND_LINE.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))

    expect(listed).toEqual(Object.values(EXIT))
  })
})

test('the page about errors lists every code, and no other', () => {
  const codes = [...read('src/core/errors.ts').matchAll(/^ {2}\| '([A-Z_]+)'$/gm)].map(([, code]) => code ?? '')
  const listed = [...ERRORS.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) \|/gm)].flatMap(([, cell]) =>
    [...(cell ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code ?? ''),
  )

  expect(codes.length).toBeGreaterThan(30)
  expect(listed.toSorted()).toEqual(codes.toSorted())
})
