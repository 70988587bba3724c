// The Pipeline dashboard: whether a pipeline is right, fast and keeping up. All of it comes from Prometheus.
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';

import { CORRECTNESS, LATENCY } from './health-rows.ts';
import { GLANCE, LAG } from './lag-rows.ts';
import { OF_TOPIC } from './queries.ts';
import { CLOSED, COMMITTED, PRODUCED } from './stage-rows.ts';
import { TEMPORAL, WORKERS } from './worker-rows.ts';

const ROWS = [GLANCE, PRODUCED, LAG, COMMITTED, CLOSED, CORRECTNESS, LATENCY, WORKERS, TEMPORAL];

/** A worker has two pages for Prometheus: Weir's, and that of Temporal's SDK. */
const OF_A_WORKER = '__name__=~"weir_worker_ready|temporal_worker_task_slots_available"';

/** Not built yet. */
export function pipelineDashboard(): DashboardBuilder {
  const dashboard = new DashboardBuilder('Weir / Pipeline')
    .uid('weir-pipeline')
    .description(
      'The way of events from Kafka into PostgreSQL: produced, waiting, committed, closed; whether all of it is right; how long it takes.',
    )
    .tags(['weir'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(labelVariable('job', 'Job', `{${OF_A_WORKER}}`))
    .withVariable(labelVariable('instance', 'Instance', `{${OF_A_WORKER}, job=~"$job"}`))
    .withVariable(labelVariable('topic', 'Topic', 'weir_events_recorded_total{job=~"$job", instance=~"$instance"}'))
    .withVariable(labelVariable('partition', 'Partition', `weir_events_recorded_total{${OF_TOPIC}}`))
    .withVariable(
      textVariable('temporal_ui', 'Temporal Web UI', 'http://127.0.0.1:8233').description(
        'Where the Web UI of Temporal is, without a slash at the end.',
      ),
    )
    .withVariable(
      textVariable('temporal_namespace', 'Namespace', 'default').description(
        'The namespace of the workflows in Temporal.',
      ),
    )
    .withVariable(
      textVariable('runbook', 'Runbook', 'docs/runbook.md').description(
        'Where docs/runbook.md can be read, such as the address of that file on your Git server. Alerts link to its sections.',
      ),
    )
    .annotation(
      new AnnotationQueryBuilder()
        .name('Closes with amendments')
        .datasource({ type: 'prometheus', uid: '${datasource}' })
        .enable(true)
        .iconColor('orange')
        .expr(`sum by (topic) (increase(weir_windows_amended_total{${OF_TOPIC}}[1m])) > 0`)
        .step('60s')
        .titleFormat('{{topic}}: late events gave closed windows a new revision'),
    );
  for (const { title, panels } of ROWS) {
    dashboard.withRow(new RowBuilder(title));
    for (const panel of panels) dashboard.withPanel(panel);
  }
  return dashboard;
}

/** All values of a label that a series has; several may be chosen. */
function labelVariable(name: string, label: string, series: string): Builder<VariableModel> {
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .datasource({ type: 'prometheus', uid: '${datasource}' })
    .query({
      qryType: 1,
      query: `label_values(${series}, ${name})`,
      refId: 'PrometheusVariableQueryEditor-VariableQuery',
    })
    .definition(`label_values(${series}, ${name})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ text: ['All'], value: ['$__all'] });
  // Partition 10 after partition 9.
  return { build: () => ({ ...variable.build(), sort: VariableSort.NaturalAsc }) };
}

/** Something that Prometheus does not know: where other pages are. */
function textVariable(name: string, label: string, value: string): TextBoxVariableBuilder {
  return new TextBoxVariableBuilder(name).label(label).defaultValue(value).current({ text: value, value });
}
