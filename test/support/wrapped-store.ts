/** A real store some of whose calls go through the test first: to fail, to wait or to be counted. */
import type { JobsFacet, Store } from '../../src/store/contract/index.ts'

/** The store with some calls about jobs in place of its own. Everything else is the store's. */
export function wrappedStore(inner: Store, jobs: (inner: JobsFacet) => Partial<JobsFacet>): Store {
  const facet: JobsFacet = { ...inner.jobs, ...jobs(inner.jobs) }
  return new Proxy(inner, {
    get(target, key) {
      if (key === 'jobs') return facet
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
