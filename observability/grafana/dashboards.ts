// The dashboards as Grafana reads them: JSON files below dashboards/, made from what is declared here.
import { fileURLToPath } from 'node:url';

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';

import { businessDashboard } from './business-dashboard.ts';
import { pipelineDashboard } from './pipeline-dashboard.ts';

/** One dashboard, its checked-in file and the text that belongs there. */
export type DashboardFile = { readonly path: string; readonly dashboard: Dashboard; readonly text: string };

/** All of them, made anew. */
export function dashboardFiles(): DashboardFile[] {
  return Object.entries({ pipeline: pipelineDashboard(), business: businessDashboard() }).map(([name, builder]) => {
    const dashboard = builder.build();
    numberPanels(dashboard);
    const path = fileURLToPath(new URL(`dashboards/${name}.json`, import.meta.url));
    return { path, dashboard, text: `${JSON.stringify(dashboard, null, 2)}\n` };
  });
}

/** Without numbers of their own, panels would get others at every start of Grafana, and links to them would lead elsewhere. */
function numberPanels(dashboard: Dashboard): void {
  for (const [index, panel] of (dashboard.panels ?? []).entries()) panel.id = index + 1;
}
