// stack.json: the addresses of a home's servers, for every other command, and the ports and places they had last time.
import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';

import type { HomeFolder } from './home-folder.ts';
import { readJsonFile, writeJsonFile } from './json-file.ts';

/** Where the three servers are. `ui` is null where the Temporal is not ours, so its Web UI's place is unknown. */
export type StackAddresses = {
  readonly kafka: { readonly brokers: string[] };
  readonly postgres: { readonly url: string };
  readonly temporal: { readonly address: string; readonly ui: string | null };
};

const Shape = Type.Object({
  kafka: Type.Object({ brokers: Type.Array(Type.String()) }),
  postgres: Type.Object({ url: Type.String() }),
  temporal: Type.Object({ address: Type.String(), ui: Type.Union([Type.String(), Type.Null()]) }),
  ports: Type.Object({
    kafka: Type.Integer(),
    kafkaController: Type.Integer(),
    postgres: Type.Integer(),
    temporal: Type.Integer(),
    temporalUi: Type.Integer(),
  }),
  // Which servers were started here; the others are somebody else's and only looked at.
  own: Type.Object({ kafka: Type.Boolean(), postgres: Type.Boolean(), temporal: Type.Boolean() }),
  // Where the local PostgreSQL stores when that is not inside the home: fixed at its first start, so that a change of
  // permissions never hides the data. Null inside the home, which may be moved or copied with all that is in it.
  postgresFolder: Type.Union([Type.String(), Type.Null()]),
});

export type StackFile = Static<typeof Shape>;

/** What the last start wrote, or null before the first. */
export function readStackFile(home: HomeFolder): StackFile | null {
  return readJsonFile(home.stackFile, Shape);
}

/** Replaces stack.json in one step. */
export function writeStackFile(home: HomeFolder, stack: StackFile): void {
  writeJsonFile(home.stackFile, stack);
}
