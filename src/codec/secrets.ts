/**
 * What a secret looks like in an error's text. Every pattern runs in linear time: after its first fixed words it takes
 * what follows without a way back, so that no text can make it slow. Too much is redacted rather than too little.
 */

const MARK = '[redacted]'

/** The text with what looks like a secret replaced by `[redacted]`. */
export function maskSecrets(text: string): string {
  let masked = text
  rules ??= patterns()
  for (const [pattern, replacement] of rules) masked = masked.replace(pattern, replacement)
  return masked.replace(BASE64_40, (word) => (isMixed(word) ? MARK : word))
}

// Whatever follows the long ones is still a secret's name (passwordHash); the short ones begin other words (signal, author).
const NAMES =
  '(?:passw(?:or)?d|passphrase|passcode|secret|token|credential|api[_-]?key|account[_-]?key|access[_-]?key|private[_-]?key|' +
  'encryption[_-]?key|signing[_-]?key|signature|session[_-]?id|authorization|cookie)[\\w-]{0,40}|' +
  '(?:pass|pwd|sig|csrf|otp|pin|cvv|auth)(?:[_-]\\w{0,20})?'

// A value: quoted, quoted inside a JSON text, or bare up to a blank or a separator of connection strings and queries.
const QUOTED = `"(?:[^"\\\\\\n]|\\\\.)*"?|'(?:[^'\\\\\\n]|\\\\.)*'?|\`[^\`\\n]*\`?|\\\\{1,8}["'][^"'\\n]*`
const BARE = `[^\\s&;"'\`\\\\]+`

type Rule = readonly [RegExp, string]

let rules: readonly Rule[] | undefined

// Made at the first error: a worker whose jobs all succeed never pays for them.
const patterns = (): readonly Rule[] => [
  // PEM blocks, whole or cut off, also with their line ends escaped.
  [/-----BEGIN [A-Z0-9 ]{1,40}-----[\s\S]*?(?:-----END [A-Z0-9 ]{1,40}-----|$)/g, MARK],
  // user:password@ and token@ in URLs; a port before a path is neither. A password may hold @ and /.
  [/\b([a-z][a-z0-9+.-]{1,30}:\/\/)[^\s/?#"'@:]{0,256}:(?!\d{1,5}[/?#])[^\s"'`]{0,1024}@/gi, `$1${MARK}@`],
  [/\b([a-z][a-z0-9+.-]{1,30}:\/\/)[^\s/?#"'@:]{1,256}@/gi, `$1${MARK}@`],
  // Whole header lines, since their values have several words.
  [
    new RegExp(
      `((?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]{0,30}(?:key|token|auth))(\\\\{0,8}["']?\\s{0,8}[:=]\\s{0,8})(?:${QUOTED}|[^\\r\\n]+)`,
      'gi',
    ),
    `$1$2${MARK}`,
  ],
  [/\b(bearer|apikey|negotiate|digest)(\s{1,8})[A-Za-z0-9._~+/=:-]{6,}/gi, `$1$2${MARK}`],
  // After "Basic" a word of small letters is prose.
  [/\b(basic\s{1,8})(?=[a-z]{0,60}[A-Z0-9+/=])[A-Za-z0-9+/]{6,}={0,2}/g, `$1${MARK}`],
  [/\b(Basic\s{1,8})(?=[a-z]{0,60}[A-Z0-9+/=])[A-Za-z0-9+/]{6,}={0,2}/g, `$1${MARK}`],
  // name=value, name: value, "name": "value", name => value; the name may go on: password_hash, SECRET_ACCESS_KEY.
  [
    new RegExp(`(?<![a-z])((?:${NAMES})\\]?\\\\{0,8}["'\`]?\\s{0,8}(?:=>|[:=])\\s{0,8})(?:${QUOTED}|${BARE})`, 'gi'),
    `$1${MARK}`,
  ],
  [
    new RegExp(
      `((?:[a-z0-9]|\\b)(?:Password|Passwd|Passphrase|Secret|Token|ApiKey|Key|Pwd)["'\`]?\\s{0,8}[:=]\\s{0,8})(?:${QUOTED}|${BARE})`,
      'g',
    ),
    `$1${MARK}`,
  ],
  // --password value
  [new RegExp(`(--[\\w-]{0,20}(?:password|token|secret|key)\\s{1,8})(?:${QUOTED}|${BARE})`, 'gi'), `$1${MARK}`],
  // JSON Web Tokens, whole or in part, and other base64 of a JSON object.
  [/\beyJ[\w-]{10,}(?:\.[\w-]*)*/g, MARK],
  [/\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{12,}/g, MARK],
  [/\b(?:gh[opsur]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|npm_[A-Za-z0-9]{16,})/g, MARK],
  [
    /\b(?:xox[a-z]-[\w-]{8,}|(?:sk|rk|pk|whsec)[_-][\w-]{16,}|AIza[\w-]{30,}|ya29\.[\w-]{16,}|SG\.[\w-]{16,}[\w.-]*)/g,
    MARK,
  ],
  [/(hooks\.slack\.com\/services\/)[\w/]{8,}/g, `$1${MARK}`],
]

// The shape of an AWS secret key; a hash in hex has no capitals and a path is rarely as long to the letter.
const BASE64_40 = /(?<![A-Za-z0-9/+=_-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_-])/g

function isMixed(word: string): boolean {
  return /[a-z]/.test(word) && /[A-Z]/.test(word) && /[0-9]/.test(word)
}
