// The Business dashboard: what the results say. All of it comes from the result tables, by a role that can read nothing else.
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';

import { AMENDED, BEHAVIOR, FUNNELS } from './behavior-rows.ts';
import { ORDERS, PEOPLE } from './business-rows.ts';
import { sqlTarget } from './queries.ts';

const POSTGRES = { type: 'grafana-postgresql-datasource', uid: '${datasource}' };

/** Not built yet. */
export function businessDashboard(): DashboardBuilder {
  const dashboard = new DashboardBuilder('Weir / Business')
    .uid('weir-business')
    .description(
      'Orders, revenue, people, sessions and funnels, from the result tables. What has not closed yet is not in it; what late events change later, changes here.',
    )
    .tags(['weir'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-6h', to: 'now' })
    .refresh('1m')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type(POSTGRES.type))
    .withVariable(
      sqlVariable(
        'schema',
        'Schema',
        `select table_schema from information_schema.tables where table_name = 'purchase_metrics' order by table_schema = 'weir' desc, 1`,
      ),
    )
    .withVariable(
      sqlVariable('currency', 'Currency', `select distinct currency from "\${schema}".purchase_metrics order by 1`)
        .multi(true)
        .includeAll(true)
        .current({ text: ['All'], value: ['$__all'] }),
    )
    .withVariable(
      sqlVariable('funnel', 'Funnel', `select distinct funnel from "\${schema}".funnel order by 1`)
        .multi(true)
        .includeAll(true)
        .current({ text: ['All'], value: ['$__all'] }),
    )
    .annotation(
      new AnnotationQueryBuilder()
        .name('Closes with amendments')
        .datasource(POSTGRES)
        .enable(true)
        .iconColor('orange')
        .target(
          sqlTarget(
            `select date_trunc('minute', amended_at) as "time", count(*) || ' rows amended: ' || string_agg(distinct aggregate, ', ') as "text"
from "\${schema}".amendments where $__timeFilter(amended_at) group by 1 order by 1`,
            'table',
            'Anno',
          ),
        ),
    );
  for (const { title, panels } of [ORDERS, PEOPLE, FUNNELS, BEHAVIOR, AMENDED]) {
    dashboard.withRow(new RowBuilder(title));
    for (const panel of panels) dashboard.withPanel(panel);
  }
  return dashboard;
}

function sqlVariable(name: string, label: string, sql: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(POSTGRES)
    .query(sql)
    .definition(sql)
    .refresh(VariableRefresh.OnTimeRangeChanged);
}
