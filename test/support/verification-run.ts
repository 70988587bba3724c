// A run of `weir verify` that found nothing wrong, for tests in which its outcome shows.
import type { VerificationRun } from '../../postgres/verifications.ts';

export const A_CLEAN_RUN: VerificationRun = {
  elapsedMs: 1_000,
  version: '0.0.0',
  outcome: { verification: { clean: true, differences: 0, checks: [] } },
};
