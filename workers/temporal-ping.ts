// Asks Temporal whether it serves the namespace: over one kept connection of its own, beside that of the pollers.
import { Connection } from '@temporalio/client';

import { clientSecurity, securityHint } from '../local/temporal-security.ts';
import { messageOf } from '../pipeline/ensure.ts';
import type { TemporalAddress } from './temporal-connection.ts';

export class TemporalPing {
  readonly #temporal: TemporalAddress;
  #kept: Connection | null = null;
  #stop = new AbortController();

  constructor(temporal: TemporalAddress) {
    this.#temporal = temporal;
  }

  /** Resolves when it serves the namespace; throws one sentence otherwise. */
  async ask(): Promise<void> {
    const { address, namespace } = this.#temporal;
    this.#kept ??= Connection.lazy({
      address,
      ...clientSecurity(),
      // Without retries: the next check is the next try. Of its own: others' waits before connecting must not hold it back.
      interceptors: [],
      channelArgs: { 'grpc.use_local_subchannel_pool': 1 },
    });
    const kept = this.#kept;
    // One a question: the client never takes its listener off again.
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    try {
      await kept.withAbortSignal(signal, () => kept.workflowService.describeNamespace({ namespace }));
    } catch (error) {
      const said = messageOf(signal.aborted ? signal.reason : error);
      this.cut(said);
      throw new Error(
        `Temporal at ${address} does not serve namespace "${namespace}" (${said}): start it, or correct WEIR_TEMPORAL_ADDRESS and WEIR_TEMPORAL_NAMESPACE${securityHint()}.`,
        { cause: error },
      );
    }
  }

  /** Ends its connection: a question under way fails and gives `why` as its reason, the next one connects anew. */
  cut(why: string): void {
    this.#stop.abort(new Error(why));
    this.#kept?.close().catch(() => {});
    this.#kept = null;
  }
}
