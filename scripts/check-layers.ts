/** Fails when a file of src/ imports what its layer may not, or when files import each other in a ring. */

import table from './layers.json' with { type: 'json' }
import { layerFaults } from './layers.ts'
import { finish, projectRoot } from './report.ts'
import { readSources } from './source.ts'

finish(layerFaults(readSources(projectRoot, ['src']), table))
