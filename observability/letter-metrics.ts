// What a worker counts while it publishes dead letters, and how many there are of each status.
import { LETTER_STATUSES } from '../pipeline/dead-letter.ts';
import type { LetterStatus } from '../pipeline/dead-letter.ts';
import type { Makers, Reading } from './metric-makers.ts';
import { TopicFigures } from './topic-figures.ts';
import { LETTER_METRICS } from './topic-metric-list.ts';

type LetterCounts = { readonly waiting: number; readonly byStatus: Readonly<Record<LetterStatus, number>> };

/** For `publishLetters`. */
export type LetterMetrics = {
  /** Its lease begins: what was counted stays on the page until the function that comes back is called, and a minute longer. */
  began(topic: string): () => void;
  lettersPublished(of: { topic: string; published: number; refused: number }): void;
  /** `waiting`: those that the topic of dead letters does not hold yet. */
  lettersCounted(topic: string, counts: LetterCounts): void;
};

export function letterMetrics(make: Makers): LetterMetrics {
  const published = make.counter(LETTER_METRICS.lettersPublished);
  const refused = make.counter(LETTER_METRICS.lettersRefused);
  const figures = new TopicFigures<LetterCounts>();
  make.reading(LETTER_METRICS.lettersWaiting, () =>
    Array.from(figures.known(), ([topic, { waiting }]): Reading => [{ topic }, waiting]),
  );
  make.reading(LETTER_METRICS.lettersByStatus, () =>
    Array.from(figures.known()).flatMap(([topic, { byStatus }]) =>
      LETTER_STATUSES.map((status): Reading => [{ topic, status }, byStatus[status]]),
    ),
  );
  return {
    began(topic) {
      for (const each of [published, refused]) each.inc({ topic }, 0);
      return figures.began(topic);
    },
    lettersPublished(of) {
      published.inc({ topic: of.topic }, of.published);
      refused.inc({ topic: of.topic }, of.refused);
    },
    lettersCounted: (topic, counts) => figures.saw(topic, counts),
  };
}
