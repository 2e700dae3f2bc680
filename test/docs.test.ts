/**
 * Every code block of README.md and docs/ is run. The blocks of one page share a folder, in the order they stand:
 * - `ts` and `js` run as a module (`// jobs/hello.ts` on the first line names its file); it must end with 0;
 * - `sh` runs line by line in that folder; what needs a registry or this repository is only checked to exist;
 * - `text` right after a block that ran is what it prints: `…` stands for anything, blank lines do not count;
 * - `json` must parse. `sql` is run by test/store/roles.test.ts and test/store/copy-again.test.ts. `mermaid`, and `text` elsewhere, is for reading.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { appFolder, type Ran, runIn } from './support/app-folder.ts'

const ROOT = resolve(import.meta.dirname, '..')
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
)

interface Block {
  readonly language: string
  readonly code: string
  readonly line: number
}

describe('the code blocks of', () => {
  test.each(PAGES)(
    '%s run as they stand',
    async (page) => {
      const folder = appFolder()
      let last: Ran | undefined

      for (const block of blocksOf(readFileSync(join(ROOT, page), 'utf8')))
        last = await runBlock(page, block, folder, last)
    },
    120_000,
  )

  test('a page are all found', () => {
    const page = 'a\n```sh\nls\n```\n- b\n  ```js\n  1\n  ```\n'

    expect(blocksOf(page)).toEqual([
      { language: 'sh', code: 'ls\n', line: 2 },
      { language: 'js', code: '1\n', line: 6 },
    ])
  })
})

async function runBlock(page: string, block: Block, folder: string, last: Ran | undefined): Promise<Ran | undefined> {
  const place = `${page}:${block.line}`
  switch (block.language) {
    case 'ts':
    case 'js':
      return await runModule(place, block, folder)
    case 'sh':
      return await runShell(place, block, folder)
    case 'text':
      if (last !== undefined) expectPrinted(place, block.code, last)
      return undefined
    case 'json':
      JSON.parse(block.code)
      return undefined
    case 'mermaid':
    case 'sql':
      return undefined
    default:
      throw new Error(
        `${place}: a block of ${block.language || 'no language'}; say ts, js, sh, json, sql, text or mermaid`,
      )
  }
}

async function runModule(place: string, block: Block, folder: string): Promise<Ran> {
  const named = /^\/\/ (\S+\.m?[jt]s)\b/.exec(block.code)?.[1]
  const file = named ?? `block-${block.line}.${block.language}`
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), block.code)
  const ran = await runIn(folder, `node ${file}`)
  expect(ran.code, `${place} ended with ${ran.code}:\n${ran.stderr}`).toBe(0)
  return ran
}

async function runShell(place: string, block: Block, folder: string): Promise<Ran | undefined> {
  let all: Ran | undefined
  for (const line of block.code.split('\n').map((each) => each.replace(/\s+#.*$/, '').trim())) {
    if (line === '' || line.startsWith('#') || isForTheReader(place, line)) continue
    const ran = await runIn(folder, line.replace(/^npx (?:--yes )?millrace\b/, 'millrace'))
    expect(ran.code, `${place}: ${line} ended with ${ran.code}:\n${ran.stdout}${ran.stderr}`).toBe(0)
    all = { code: 0, stdout: (all?.stdout ?? '') + ran.stdout, stderr: (all?.stderr ?? '') + ran.stderr }
  }
  return all
}

/** What a page says to type that a test cannot: it needs a registry, or runs this repository's own scripts. */
function isForTheReader(place: string, line: string): boolean {
  const script = /^npm (?:run )?(\S+)/.exec(line)?.[1]
  if (line.startsWith('git clone ') || line.startsWith('cd ')) return true
  if (script === undefined) return false
  const known = ['install', 'i', 'ci', ...Object.keys(manifest.scripts)]
  expect(known, `${place}: ${line}`).toContain(script)
  return true
}

function expectPrinted(place: string, wanted: string, ran: Ran): void {
  const lines = (text: string) =>
    text
      .split('\n')
      .map((each) => each.trim())
      .filter((each) => each !== '')
  const pattern = lines(wanted)
    .map((each) => each.split('…').map(escaped).join('.*'))
    .join('\\s*\\n\\s*')
  const printed = lines(ran.stdout + ran.stderr).join('\n')
  expect(printed, place).toMatch(new RegExp(`^${pattern}$`, 'm'))
}

function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  for (const match of page.matchAll(/^( *)```(\w*)[^\n]*\n([\s\S]*?)^\1```$/gm)) {
    const [, indent = '', language = '', code = ''] = match
    const line = page.slice(0, match.index).split('\n').length
    blocks.push({ language, code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''), line })
  }
  return blocks
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
