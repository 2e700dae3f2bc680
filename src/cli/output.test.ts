import { describe, expect, it } from 'vitest'
import { clean, jsonText, spanText } from './output.ts'

/** Texts by which a job could write lines of its own, colour the screen, move the cursor or turn text around. */
const HOSTILE = [
  'one\ntwo',
  'one\r\ntwo',
  'one\u2028two\u2029three',
  '\u001b[31mred\u001b[0m',
  '\u001b]0;title\u0007',
  '\u001b[2J\u001b[H',
  '\u009b31mred',
  '\u0090payload\u009c',
  'a\u0008b\u007fc',
  '\u202egnp.exe',
  '\u2066\u2067\u2068 \u2069',
  '\u200e\u200f\u061c',
  'zero\u200bwidth\u200d\ufeff',
  '\u0000',
  '\t',
]
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const DANGEROUS = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

describe('L2: text of a stranger', () => {
  it.each(HOSTILE)('is one line without signs that act: %j', (text) => {
    expect(clean(text)).not.toMatch(DANGEROUS)
    expect(clean(`a${text}b`)).toMatch(/^a.+b$/)
  })

  it('is left as it is otherwise', () => {
    for (const text of ['', 'plain', 'Grüße, 世界 👋', 'it\'s 100 % \\ "quoted"']) expect(clean(text)).toBe(text)
  })
})

describe('D5: a line of JSON', () => {
  it.each(HOSTILE)('is one line, reads back as it was, and holds no sign that acts: %j', (text) => {
    const line = jsonText({ [text]: [text] })

    expect(line).not.toMatch(DANGEROUS)
    expect(JSON.parse(line)).toEqual({ [text]: [text] })
  })
})

describe('a duration', () => {
  it.each([
    [0.4, '0ms'],
    [12.6, '13ms'],
    [999, '999ms'],
    [1000, '1.00s'],
    [1961, '1.96s'],
    [12_340, '12.3s'],
    [252_000, '4m12s'],
  ])('of %d ms is %s', (ms, text) => {
    expect(spanText(ms)).toBe(text)
  })
})
