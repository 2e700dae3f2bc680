/** Queries by filter. Loads Kysely: import it where a query is made, when it is made. */
export { countMatching, matchingQueries, search, stillMatching } from './search.ts'
