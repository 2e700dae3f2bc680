/**
 * The URL of a store on a server, and what all drivers ask of it. A password with a sign that ends the authority of a URL
 * (`/`, `?`, `#`) leaves its rest, and the @ behind it, in what comes after the host, where messages would show it as a database
 * or a parameter: a URL with an @ there is not read at all. One that is meant is written as %40.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { ConfigError } from '../../core/errors.ts'

/** The kinds of server, as their URLs name them. */
export type ServerScheme = 'postgres' | 'mysql'

/** Reads a URL in its parts, each with escapes that can be read. Throws `STORE_URL` with a sentence that holds nothing of it. */
export function parseServerUrl(scheme: ServerScheme, text: string): URL {
  try {
    const url = new URL(text)
    for (const part of [url.username, url.password, url.pathname, url.hostname]) decodeURIComponent(part)
    const afterHost = /^\s*[a-z]+:\/\/[^/?#]*(.*)$/is.exec(text)?.[1]
    if (afterHost !== undefined && !/[@#]/.test(afterHost)) return url
  } catch {
    // The URL class quotes the whole text, password included, so its error goes no further.
  }
  throw new ConfigError('STORE_URL', `the ${scheme} store URL cannot be read`, { hint: hintOf(scheme) })
}

/** The error of a URL that was read and cannot be used; it shows neither user nor password. */
export function refusedUrl(scheme: ServerScheme, url: URL, reason: string): ConfigError {
  const shown = `${url.protocol}//${url.host}${url.pathname}`
  return new ConfigError('STORE_URL', `the store URL ${JSON.stringify(shown)} cannot be used: ${reason}`, {
    fields: { url: shown, reason },
    hint: hintOf(scheme),
  })
}

/** The certificates in the file that a URL names, as PEM text. Throws `STORE_URL` when it cannot be read as such. */
export function certificatesOf(scheme: ServerScheme, url: URL): string | undefined {
  const path = url.searchParams.get('ca')
  if (path === null) return undefined
  try {
    const text = readFileSync(path, 'utf8')
    // TLS passes over what it cannot read, and then believes nobody: as if the server were to blame.
    const certificates = text.split(/(?=-----BEGIN )/).filter((part) => CERTIFICATE.test(part))
    for (const certificate of certificates) new X509Certificate(certificate)
    if (certificates.length > 0) return text
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    throw refusedUrl(scheme, url, `its ca file cannot be read: ${said}`)
  }
  throw refusedUrl(scheme, url, 'its ca file holds no certificate as PEM text (-----BEGIN CERTIFICATE-----)')
}

const CERTIFICATE = /^-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/

/** Whether a host is this machine. A name is not, whatever it begins with: 127.db.example.com is somewhere else. */
export function isLocal(host: string): boolean {
  const isLoopback = host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  return isLoopback || host === 'localhost' || host.startsWith('/')
}

function hintOf(scheme: ServerScheme): string {
  return `Use ${scheme}://USER:PASSWORD@HOST:PORT/DATABASE, and write special characters of the password as %XX, an @ after the host as %40.`
}
