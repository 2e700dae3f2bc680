/** Certificates of the tests' own, made by openssl: an authority, and a server's that it has signed. */
import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { unprivileged } from './private-server.ts'

/** Paths of PEM files, removed after the tests of the file. */
export interface Certificates {
  readonly ca: string
  /** Another authority, which has signed nothing. */
  readonly otherCa: string
  readonly cert: string
  readonly key: string
}

/** Whether openssl is there to make them. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    // Not installed.
    return false
  }
}

/** Makes them for a server that has this one name. The files belong to the user that private servers run as. */
export function makeCertificates(name: string): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-certificates-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const at = (file: string) => join(folder, file)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  for (const ca of ['ca', 'other']) {
    openssl('req', '-x509', ...newKey, '-keyout', `${ca}.key`, '-out', `${ca}.pem`, '-days', '2', '-subj', `/CN=${ca}`)
  }
  openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', `/CN=${name}`)
  writeFileSync(at('names'), `subjectAltName=DNS:${name}`)
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names']
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...signed)
  const owner = unprivileged()
  if (owner !== undefined)
    for (const file of ['', 'server.key', 'server.pem']) chownSync(at(file), owner.uid, owner.gid)
  return { ca: at('ca.pem'), otherCa: at('other.pem'), cert: at('server.pem'), key: at('server.key') }
}
