// Small batches of a worker's partitions in one transaction, step by step.
import type { CommitSql, World } from './ingest-steps.ts';
import { commitTransaction } from './ingest-steps.ts';
import type { Answer } from './model-database.ts';
import { before, until } from './schedule.ts';
import type { Steps } from './schedule.ts';

/** `alone`: nothing of the batch is there, and it goes in by itself. */
type SharedAnswer = Answer<void> | 'alone';
type Waiting = { readonly sql: CommitSql; answer: SharedAnswer | null };

const MOST_STEPS_WAITED = 30;

/** The batches that wait in each worker, and how often what became of those that went in together. */
export class Sharing {
  readonly seen: Record<string, number> = {};
  readonly #waiting = new Map<string, Waiting[]>();

  /** True when the batch is the first to wait: somebody must then come for it. */
  join(owner: string, waiting: Waiting): boolean {
    const others = this.#waiting.get(owner);
    if (others) others.push(waiting);
    else this.#waiting.set(owner, [waiting]);
    return others === undefined;
  }

  takeAll(owner: string): Waiting[] {
    const group = this.#waiting.get(owner) ?? [];
    this.#waiting.delete(owner);
    return group;
  }

  forget(owner: string): void {
    this.#waiting.delete(owner);
  }

  happened(what: string): void {
    this.seen[what] = (this.seen[what] ?? 0) + 1;
  }
}

/** Waits for whoever of the worker wants to commit until the schedule lets them through; that may be nobody else. */
export function* shareCommit(world: World, owner: string, sql: CommitSql): Steps<SharedAnswer> {
  const waiting: Waiting = { sql, answer: null };
  if (world.sharing.join(owner, waiting)) {
    world.schedule.spawn(owner, `${owner}, shared commits,`, letThrough(world, owner));
  }
  yield* until('hears of the shared commit', () => waiting.answer !== null);
  return waiting.answer ?? 'alone';
}

function* letThrough(world: World, owner: string): Steps {
  const { sharing, database, guards } = world;
  // As long as another commit takes.
  for (let steps = world.schedule.chance.below(MOST_STEPS_WAITED); steps > 0; steps -= 1) yield* before('waits');
  yield* before('lets through what waits');
  const group = sharing.takeAll(owner);
  const parts = group.map(({ sql }) => sql).toSorted((one, other) => one.claim.partition - other.claim.partition);
  if (parts.length === 1) {
    answerAll(group, 'alone');
    return;
  }
  const name = `commit of partitions ${parts.map(({ claim }) => claim.partition).join(' and ')}`;
  const answer: Answer<void> = yield* database.ask(name, (transaction) => commitTransaction(transaction, parts));
  if (answer.code === 'done') {
    sharing.happened('shared, done');
    answerAll(group, answer);
  } else if (answer.code === 'lost') {
    sharing.happened('shared, lost');
    answerAll(group, guards.sharedLossIsForAll ? answer : 'alone');
  } else {
    sharing.happened('shared, refused');
    answerAll(group, guards.sharedRefusalIsForAll ? 'alone' : { code: 'done', result: undefined });
  }
}

function answerAll(group: readonly Waiting[], answer: SharedAnswer): void {
  for (const each of group) each.answer = answer;
}
