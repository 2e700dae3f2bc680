/** Text that wants to be SQL, a pattern, a path into an object or a command of a terminal. */

/** Texts that have broken other stores. */
export const SEEDS = [
  "'",
  "''",
  '"',
  '`',
  ';',
  '--',
  '/*',
  '*/',
  '\\',
  "\\'",
  '%',
  '_',
  '?1',
  ':id',
  '@id',
  '$1',
  "' OR '1'='1",
  "' OR 1=1 --",
  "'; DROP TABLE millrace_job; --",
  "'); DELETE FROM millrace_archive; --",
  '" OR ""="',
  "1; ATTACH DATABASE 'x' AS y",
  "' UNION SELECT * FROM sqlite_master --",
  "'||(SELECT 1)||'",
  'null',
  'NULL',
  'undefined',
  '0',
  '-1',
  '1e308',
  '[]',
  '{}',
  '["a"]',
  '{"$gt":""}',
  '__proto__',
  'constructor',
  'toString',
  '\n',
  '\r\n',
  '\t',
  '\u001b[31m',
  '\u202e',
  '\u2028',
  'ｅ',
  'é',
  'e\u0301',
  '🎉',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a template as an attacker would send it
  '${1+1}',
  '{{7*7}}',
  '<script>alert(1)</script>',
]

/** A thousand different hostile strings. */
export const HOSTILE: readonly string[] = Array.from({ length: 1_000 }, (_, i) => {
  const one = SEEDS[i % SEEDS.length] ?? ''
  const two = SEEDS[(i * 7 + Math.floor(i / SEEDS.length)) % SEEDS.length] ?? ''
  return i < SEEDS.length ? one : `${one}${i}${two}`
})
