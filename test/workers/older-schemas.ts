// What the older build has in the place of pipeline/schemas/versions.ts: it knows version 1 alone.
import { VERSION_1 } from '../../pipeline/schemas/v1.ts';
import type { SchemaVersion } from '../../pipeline/schemas/schema-version.ts';

export const VERSIONS: readonly SchemaVersion[] = [VERSION_1];
