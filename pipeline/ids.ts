// Names that people see in Temporal's Web UI and that processes agree on: task queues and workflow ids.

export const TASK_QUEUES = { ingest: 'weir-ingest', windows: 'weir-windows', generator: 'weir-generator' } as const;

/** The Kafka group under which checkpoints are published, so that Kafka's own tools see the lag. */
export const CONSUMER_GROUP = 'weir';

/** The topic in which other Kafka tools look for what was refused. */
export const deadLetterTopic = (topic: string): string => `${topic}.dead-letters`;

export const pipelineId = (topic: string): string => `pipeline/${topic}`;
export const partitionId = (topic: string, partition: number): string => `partition/${topic}/${partition}`;
export const windowsId = (topic: string): string => `windows/${topic}`;
export const closeWindowId = (topic: string, boundary: string): string => `window/${topic}/${boundary}`;
export const offsetsId = (topic: string): string => `offsets/${topic}`;
export const lettersId = (topic: string): string => `letters/${topic}`;
export const generatorId = (name: string): string => `generator/${name}`;
export const reprocessId = (id: string): string => `reprocess/${id}`;
export const replayId = (id: string): string => `replay/${id}`;
