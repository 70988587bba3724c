// What the workflows are found by in Temporal's lists: the search attributes, by name and type.

/** WeirWindow: the end of event time that a `closeWindow` closes. */
export const SEARCH_ATTRIBUTES = {
  topic: { name: 'WeirTopic', type: 'KEYWORD' },
  partition: { name: 'WeirPartition', type: 'INT' },
  window: { name: 'WeirWindow', type: 'DATETIME' },
} as const;
