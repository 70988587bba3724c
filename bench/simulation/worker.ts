// One worker process: a single thread, and for each topic the way that its batches take into PostgreSQL.
import type { Runner } from './cpu.ts';
import type { SharedCommits } from './shared-commits.ts';
import type { TopicClock } from './topic-clock.ts';

export class Worker {
  readonly thread: Runner;
  readonly #newCommits: (topic: TopicClock) => SharedCommits;
  readonly #commits = new Map<TopicClock, SharedCommits>();

  constructor(thread: Runner, newCommits: (topic: TopicClock) => SharedCommits) {
    this.thread = thread;
    this.#newCommits = newCommits;
  }

  commitsInto(topic: TopicClock): SharedCommits {
    const commits = this.#commits.get(topic) ?? this.#newCommits(topic);
    this.#commits.set(topic, commits);
    return commits;
  }
}
