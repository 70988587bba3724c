// Lets the batches of several partitions come together before they commit, so that what they share is not left to chance.
import type { SharedCommits } from '../../postgres/shared-commits.ts';

type Come = { readonly partition: number; readonly letThrough: () => void };

/** In front of a worker's shared commits. Batches pass as they come, but for those that `gather` waits for. */
export class GatheredCommits implements Pick<SharedCommits, 'commit'> {
  readonly #shared: SharedCommits;
  #expected = 0;
  #come: Come[] = [];

  constructor(shared: SharedCommits) {
    this.#shared = shared;
  }

  /** The next batches wait until one of each of so many partitions is there, then go by partition: the first alone, the others behind it. */
  gather(partitions: number): void {
    this.#expected = partitions;
  }

  async commit(...[batch, alone]: Parameters<SharedCommits['commit']>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const letThrough = (): void => void this.#shared.commit(batch, alone).then(resolve, reject);
      this.#come.push({ partition: batch.claim.partition, letThrough });
      if (this.#come.length < this.#expected) return;
      const come = this.#come.toSorted((one, other) => one.partition - other.partition);
      this.#come = [];
      this.#expected = 0;
      for (const each of come) each.letThrough();
    });
  }
}
