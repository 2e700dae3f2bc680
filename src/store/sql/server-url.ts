/**
 * The URL of a store on a server. A password with a sign that ends the authority of a URL (`/`, `?`, `#`) leaves its rest and an
 * @ in what comes after it, where messages would show it as a database or a parameter: such a URL is not read at all.
 */

/** The URL in its parts, each with escapes that can be read. Throws what must go no further: it may quote the password. */
export function parseServerUrl(text: string): URL {
  const url = new URL(text)
  for (const part of [url.username, url.password, url.pathname, url.hostname]) decodeURIComponent(part)
  const misread = url.hash !== '' || [url.pathname, ...url.searchParams.keys()].some((part) => part.includes('@'))
  if (misread || !text.includes('://')) throw new TypeError('its password has a sign that ends it')
  return url
}
