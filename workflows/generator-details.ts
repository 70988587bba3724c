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
    `- rate: ${state.rate} a second`,
    `- schedule: message ${segment.fromIndex} at ${isoTime(segment.startMs)}, ${segment.rate} a second from there`,
    `- leases: ${state.lease}`,
  ];
  if (failures.count > 0) lines.push('', `${failures.count} failures in a row since ${isoTime(failures.sinceMs)}.`);
  return lines.join('\n');
}
