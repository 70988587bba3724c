// Changes of what the workflows command that runs begun by an older build must not see, each with the reason it exists.
//
// A change needs a patch when a recorded history would get other commands, or the same in another order: a new activity,
// timer, child or signal. Other durations, texts and states need none, nor does a new Update that no history holds.
// The rules: ask once, when a run begins, and keep the answer (a `false` during a replay is not final, and a run should be of
// one build). Leave a name in for as long as runs without it live (every run continues as new within days); then replace its
// question by `deprecatePatch(name)`, and take that out when no run that recorded the marker is left. Never use a name again.
// An older build that meets a history with a marker fails that workflow task, not the workflow: a newer worker takes it.
import { patched } from '@temporalio/workflow';

export const PATCHES = {
  /** A pipeline knew nothing of a partition whose leases failed, and its status said that it ingested. */
  tellFailures: 'tell-failures',
  /** The workflows of a lost worker are replayed by others: long ones took longer than a workflow task may, again and again. */
  shortRuns: 'short-runs',
  /** Dead letters were in PostgreSQL only, where no Kafka tool looks. */
  publishLetters: 'publish-letters',
} as const;

/** Whether this run was begun by a build that has the change; records so in the history of a run that begins now. */
export function isPatched(patch: keyof typeof PATCHES): boolean {
  return patched(PATCHES[patch]);
}
