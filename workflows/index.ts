// The workflows that Temporal knows by name: each is named here, and nothing else is exported (a test holds the list).
export { closeWindow } from './close-window.ts';
export { closeWindows } from './close-windows.ts';
export { commitOffsets } from './commit-offsets.ts';
export { generateEvents } from './generate-events.ts';
export { ingestPartition } from './ingest-partition.ts';
export { publishLetters } from './publish-letters.ts';
export { replayDeadLetters } from './replay-dead-letters.ts';
export { reprocess } from './reprocess.ts';
export { runPipeline } from './run-pipeline.ts';
