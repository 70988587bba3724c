// The generator's world: what a seed decides once and for all, before anything happens in it.
import { createItems } from './catalogue.ts';
import type { Item } from './catalogue.ts';
import { createSearchPhrases } from './search-phrases.ts';
import type { SearchPhrases } from './search-phrases.ts';
import { hashUnder } from './seeded-chance.ts';
import { createPopulation } from './shoppers.ts';
import type { Population } from './shoppers.ts';

/** `key` is the seed folded to 32 bits. Nothing in a world changes while events are made. */
export type World = {
  readonly key: number;
  readonly population: Population;
  readonly items: readonly Item[];
  readonly searches: SearchPhrases;
};

/** Builds the world of a seed: some 10 ms, once; the same seed and number of users give the same world everywhere. */
export function createWorld(spec: { readonly seed: number; readonly users: number; readonly late?: number }): World {
  const key = hashUnder(0x77656972, spec.seed);
  const items = createItems(key);
  const searches = createSearchPhrases(key, items);
  return { key, population: createPopulation(key, spec.users, spec.late ?? 0), items, searches };
}
