// Copies dead letters to their topic as they come, at least once each: the table stays what Weir itself reads.
import { Context } from '@temporalio/activity';

import type { LetterMetrics } from '../observability/letter-metrics.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { countLettersByStatus } from '../postgres/letter-statuses.ts';
import { countUnpublishedLetters } from '../postgres/unpublished-letters.ts';
import { toFailure } from './failures.ts';
import { keepLooking } from './lease.ts';
import type { LeaseEnd } from './lease.ts';
import { LetterPublication } from './letter-publication.ts';
import type { PublicationDeps } from './letter-publication.ts';

/** Counting a hundred thousand letters takes a while: of its time no more than one part in so many, but it is never put off for long. */
const COUNTING_SHARE = 20;
const LONGEST_COUNT_WAIT_MS = 15_000;

export type PublishLettersDeps = PublicationDeps & { readonly metrics: LetterMetrics };

export type PublishLettersInput = { readonly spec: PipelineSpec; readonly leaseMs: number; readonly everyMs: number };

/** `refused`: letters that Kafka found too large. */
export type PublishLettersResult = { readonly published: number; readonly refused: number; readonly reason: LeaseEnd };

/**
 * The activity `publishLetters`. It looks every `everyMs`, and at once again while there is more. A crash between sending
 * and marking sends again. Fails with one sentence when Kafka or PostgreSQL keep it from its work.
 */
export const createPublishLetters =
  ({ metrics, ...deps }: PublishLettersDeps) =>
  async ({ spec, leaseMs, everyMs }: PublishLettersInput): Promise<PublishLettersResult> => {
    const publication = new LetterPublication(deps, spec, Context.current().cancellationSignal);
    const { topic } = spec;
    const ended = metrics.began(topic);
    let done = { published: 0, refused: 0 };
    let waiting = 0;
    let nextCountMs = 0;
    let waitMs = 0;
    const look = async (): Promise<null> => {
      // Before the page, so that the figure also grows while Kafka takes none.
      if (performance.now() >= nextCountMs) {
        const startedMs = performance.now();
        waiting = (await countUnpublishedLetters(deps.pool, spec.schema)).letters;
        metrics.lettersCounted(topic, { waiting, byStatus: await countLettersByStatus(deps.pool, spec.schema) });
        const countedMs = performance.now();
        const restMs = Math.min(COUNTING_SHARE * (countedMs - startedMs), LONGEST_COUNT_WAIT_MS);
        nextCountMs = countedMs + Math.max(everyMs, restMs);
      }
      const { published, refused, isLast } = await publication.publishPage();
      done = { published: done.published + published, refused: done.refused + refused };
      metrics.lettersPublished({ topic, published, refused });
      waitMs = isLast ? everyMs : 0;
      return null;
    };
    try {
      const reason = await keepLooking({ leaseMs, everyMs: () => waitMs }, look, () => ({ ...done, waiting }));
      return { ...done, reason: reason ?? 'lease-over' };
    } catch (error) {
      throw toFailure(error);
    } finally {
      ended();
      await publication.close();
    }
  };
