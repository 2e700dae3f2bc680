/** Fails on an export of the sources that has no docstring. */
import { docstringFaults } from './docstrings.ts'
import { finish, projectRoot } from './report.ts'
import { readSources } from './source.ts'

finish(docstringFaults(readSources(projectRoot, ['src', 'scripts']).filter(({ path }) => !path.endsWith('.test.ts'))))
