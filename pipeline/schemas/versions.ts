// The versions of the event schemas that this build knows, oldest first.
import { VERSION_1 } from './v1.ts';
import { VERSION_2 } from './v2.ts';

import type { SchemaVersion } from './schema-version.ts';

/** Version n stands at index n - 1: a message's version finds its schema by that. */
export const VERSIONS: readonly SchemaVersion[] = [VERSION_1, VERSION_2];
