// Hands the search attributes of a workflow on to its children. A server refuses attributes that it doesn't know, so only a
// workflow that was started with them passes them on: where nobody may register them, all goes on without.
import { defineSearchAttributeKey } from '@temporalio/common';
import type { SearchAttributePair } from '@temporalio/common';
import { workflowInfo } from '@temporalio/workflow';

import { SEARCH_ATTRIBUTES } from '../pipeline/search-attributes.ts';

const { topic, partition, window } = SEARCH_ATTRIBUTES;
const TOPIC = defineSearchAttributeKey(topic.name, topic.type);
const PARTITION = defineSearchAttributeKey(partition.name, partition.type);
const WINDOW = defineSearchAttributeKey(window.name, window.type);

type Place = { readonly partition?: number; readonly throughMs?: number };

/** Options of a child that works for the same topic, for one of its partitions or up to one boundary of event time. */
export function foundBy(place: Place = {}): { typedSearchAttributes?: SearchAttributePair[] } {
  const value = workflowInfo().typedSearchAttributes.get(TOPIC);
  if (value === undefined) return {};
  const pairs: SearchAttributePair[] = [{ key: TOPIC, value }];
  if (place.partition !== undefined) pairs.push({ key: PARTITION, value: place.partition });
  if (place.throughMs !== undefined) pairs.push({ key: WINDOW, value: new Date(place.throughMs) });
  return { typedSearchAttributes: pairs };
}
