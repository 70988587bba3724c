// What the rows of the Pipeline dashboard share: their shape, their words, the way from a partition to its workflow.
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { MappingType } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Panel, ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';

import type { ValueLink } from './panels.ts';

export type Row = { readonly title: string; readonly panels: readonly Builder<Panel>[] };

export const NO_PIPELINE = 'No pipeline of this topic runs on the chosen workers';
export const BY_PARTITION = 'topic, partition';
export const PARTITION_LEGEND = '{{topic}}/{{partition}}';

/** Words for 0 and 1. */
export const words = (zero: string, one: string): ValueMapping[] => [
  { type: MappingType.ValueToText, options: { '0': { text: zero, index: 0 }, '1': { text: one, index: 1 } } },
];

/** From a line or a row of a partition to its workflow, whose id is partition/TOPIC/NUMBER. */
export const workflowLink = (topic: string, partition: string): ValueLink => ({
  title: 'The workflow of this partition, in the Temporal Web UI',
  url: `\${temporal_ui}/namespaces/\${temporal_namespace}/workflows/partition%2F\${${topic}}%2F\${${partition}}`,
  targetBlank: true,
});
export const LINE_LINKS = [workflowLink('__field.labels.topic', '__field.labels.partition')];
