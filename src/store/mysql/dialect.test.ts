import { describe, expect, it } from 'vitest'
import { DUE_STATEMENTS } from '../sql/due.ts'
import { filled, MysqlDialect, queueKey } from './dialect.ts'

const dialect = new MysqlDialect()

function said(statement: string, params: Parameters<typeof filled>[1]) {
  return filled(dialect.template(statement), params)
}

describe('the dialect', () => {
  it('binds parameters in the order in which the text names them', () => {
    const { text, values } = said('SELECT a FROM millrace_state WHERE x = $2 AND y = $1 AND z = $2', ['one', 2])

    expect(text).toBe('SELECT a FROM millrace_state WHERE x = ? AND y = ? AND z = ?')
    expect(values).toEqual([2, 'one', 2])
  })

  it('pads a list with its last value, so that shapes stay few', () => {
    const sql = 'SELECT id FROM millrace_job WHERE name IN LIST($1 text)'

    expect(said(sql, [['a', 'b']])).toEqual({
      text: 'SELECT id FROM millrace_job WHERE name IN (?,?,?,?,?,?,?,?)',
      values: ['a', ...Array(7).fill('b')],
    })
    expect(said(sql, [['a']]).text).toMatch(/IN \(\?\)$/)
    const lengths = new Set(
      [1, 2, 8, 9, 16, 17, 64, 65, 250, 500, 540, 700].map((n) => said(sql, [Array(n).fill('x')]).values.length),
    )
    expect([...lengths]).toEqual([1, 8, 16, 32, 64, 128, 256, 512, 640, 768])
  })

  it('finds nothing by an empty list', () => {
    const { text, values } = said('SELECT id FROM millrace_job WHERE id IN LIST($1 text)', [[]])

    expect(text).toMatch(/IN \(\?\)$/)
    expect(values).toEqual([null])
  })

  it('puts a limit into the text, and nothing but a whole number', () => {
    const sql = 'SELECT id FROM millrace_job WHERE name = $1 LIMIT $2'

    expect(said(sql, ['a', 20])).toEqual({ text: sql.replace('$1', '?').replace('$2', '20'), values: ['a'] })
    for (const limit of ['1; DROP TABLE x', 1.5, -1, NaN, null]) {
      expect(() => said(sql, ['a', limit])).toThrow('a LIMIT is a whole number from 0')
    }
  })

  it('names the index by which ids are looked up, in every kind of statement', () => {
    const texts = [
      'SELECT id FROM millrace_job WHERE id IN LIST($1 text) ORDER BY id FOR UPDATE',
      'UPDATE millrace_job SET lease_until = $1 WHERE id IN LIST($2 text)',
      'DELETE FROM millrace_edge WHERE child_id IN LIST($1 text)',
    ].map((sql) => dialect.compile(sql))

    expect(texts).toEqual(
      [
        'SELECT id FROM millrace_job FORCE INDEX (PRIMARY) WHERE id IN LIST ORDER BY id FOR UPDATE',
        'UPDATE millrace_job FORCE INDEX (PRIMARY) SET lease_until = ? WHERE id IN LIST',
        'DELETE millrace_edge FROM millrace_edge FORCE INDEX (edge_child) WHERE child_id IN LIST',
      ].map((text) => text.replace('IN LIST', '?')),
    )
  })

  it('asks for what is due by the index of phases', () => {
    expect(dialect.compile(DUE_STATEMENTS.DUE)).toContain('FORCE INDEX (job_due) WHERE phase = 1 AND due_at <= ?')
  })

  it('looks up blocked jobs by the hashes of their keys, and compares the keys', () => {
    const { values } = filled(dialect.template(DUE_STATEMENTS.BLOCKED), [['k'], 5])

    expect(values).toEqual([140_662_621, 'k'])
  })

  it('writes rows from one parameter', () => {
    const key = { id: 'text' } as const
    const update = { write: 'update', table: 'job', key, set: { error: 'bytes' } } as const
    const insert = { write: 'insert', table: 'log', columns: { job_id: 'text', seq: 'int' }, key: ['job_id'] } as const

    expect(dialect.compile(update)).toBe(
      "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id VARBINARY(255) PATH '$.id' ERROR ON ERROR, " +
        "error LONGTEXT CHARACTER SET utf8mb4 PATH '$.error' ERROR ON ERROR)) v STRAIGHT_JOIN millrace_job j " +
        'FORCE INDEX (PRIMARY) ON j.id = v.id SET j.error = UNHEX(v.error)',
    )
    expect(dialect.compile({ ...insert, onTaken: 'skip' })).toMatch(
      /ON DUPLICATE KEY UPDATE job_id = millrace_log.job_id$/,
    )
    expect(dialect.compile({ ...insert, onTaken: ['seq'] })).toMatch(/ON DUPLICATE KEY UPDATE seq = v.seq$/)
    expect(dialect.compile({ ...insert, onTaken: 'fail' })).not.toContain('DUPLICATE')
  })

  it('takes a queue as its own key unless it is longer than an index takes', () => {
    expect(queueKey('größe ')).toBe('größe ')
    expect(queueKey('ä'.repeat(95))).toBe('ä'.repeat(95))
    expect(queueKey('ä'.repeat(96))).toMatch(/^#[0-9a-f]{64}$/)
    expect(queueKey('ä'.repeat(96))).not.toBe(queueKey('ä'.repeat(97)))
  })
})
