// The current details of a generator: short Markdown that a person reads in Temporal's Web UI.
import { isoTime } from './details.ts';
import type { GeneratorState } from './generator-state.ts';

export function generatorDetails(state: GeneratorState): string {
  const { segment, failures } = state;
  const lines = [
    `**Generator ${state.name} into ${state.topic}: ${state.phase}**`,
    '',
    state.message,
    '',
    `- next message: ${state.nextIndex}${state.count === null ? '' : ` of ${state.count}`}`,
    `- rate: ${state.rate} a second, profile ${state.profile ?? 'steady'}`,
    `- seed: ${state.seed ?? 'in the input'}`,
    `- from ${isoTime(state.startedMs ?? null)} ${state.untilMs === null || state.untilMs === undefined ? 'on' : `to ${isoTime(state.untilMs)}`}`,
    `- schedule: message ${segment.fromIndex} at ${isoTime(segment.startMs)}, ${segment.rate} a second from there`,
    `- leases: ${state.lease}`,
  ];
  if (failures.count > 0) lines.push('', `${failures.count} failures in a row since ${isoTime(failures.sinceMs)}.`);
  return lines.join('\n');
}
