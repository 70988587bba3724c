// What a batch and what a transaction costs, told apart by two runs that made different numbers of each.

/** Per event: batches, transactions, and the CPU microseconds that both took together. */
export type RunOfBatches = { readonly batches: number; readonly transactions: number; readonly microseconds: number };

/** CPU microseconds. */
export type SplitCosts = { readonly perBatch: number; readonly perTransaction: number };

/**
 * The costs by which both runs took what they did. Where that would make one of them negative, it is 0 and the other is what
 * `shared` took; where the runs do not differ, a transaction is all there is.
 */
export function splitCosts(shared: RunOfBatches, alone: RunOfBatches): SplitCosts {
  const determinant = shared.batches * alone.transactions - alone.batches * shared.transactions;
  const perBatch = (shared.microseconds * alone.transactions - alone.microseconds * shared.transactions) / determinant;
  const perTransaction = (shared.batches * alone.microseconds - alone.batches * shared.microseconds) / determinant;
  if (perBatch >= 0 && perTransaction < 0) return { perBatch: shared.microseconds / shared.batches, perTransaction: 0 };
  if (perBatch >= 0 && Number.isFinite(perBatch)) return { perBatch, perTransaction };
  return { perBatch: 0, perTransaction: shared.microseconds / shared.transactions };
}
