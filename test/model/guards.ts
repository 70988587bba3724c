// The guards of the two protocols, each of which the model can do without, to show that it is needed.

/** True: as the product does it. */
export type Guards = {
  /** A commit moves the checkpoint only in the lease's own epoch. */
  readonly epoch: boolean;
  /** A commit moves the checkpoint only from exactly the offset that its batch begins at. */
  readonly fromOffset: boolean;
  /** The set of identities dies with the chain of commits it was learnt in. */
  readonly setDiesWithChain: boolean;
  /** The checkpoint moves in the transaction of the rows it covers. */
  readonly checkpointMovesWithRows: boolean;
  /** A commit whose reply was lost is not taken for done. */
  readonly neverAssumesCommitted: boolean;
  /** A commit whose reply was lost is not sent again in the same lease. */
  readonly neverSendsAgain: boolean;
  /** When the session of several partitions' transaction is lost, each lease in it is in doubt; none sends its batch again. */
  readonly sharedLossIsForAll: boolean;
  /** When PostgreSQL refuses such a transaction for one batch, none of it is taken for done. */
  readonly sharedRefusalIsForAll: boolean;
  /** One row per identity, whoever inserts it. */
  readonly uniqueKey: boolean;
  /** Behind a staging table, counts come from what was really inserted. */
  readonly countsWhatWasInserted: boolean;
  /** A batch with an unmarked event behind closed_through is refused. */
  readonly refusesClosedMeanwhile: boolean;
  /** Batches share the clock, and the move of closed_through has it alone. */
  readonly clockLock: boolean;
  /** Panes, windows, late marks and written_through become visible together. */
  readonly writtenThroughMovesWithResults: boolean;
  /** A rewind begins a new epoch: a lease of before commits nothing behind it. */
  readonly rewindRaisesEpoch: boolean;
  /** A message that is read again and refused again makes no second dead letter. */
  readonly oneLetterAPlace: boolean;
  /** A closer sees one moment (REPEATABLE READ), not each statement its own. */
  readonly oneSnapshot: boolean;
  /** A closer updates the clock's row, so that one with an older snapshot is refused. A mere lock lets it go on. */
  readonly clockRowUpdated: boolean;
  /** What an amendment took in is marked as applied in the same transaction. */
  readonly amendsAndMarksTogether: boolean;
};

export const ALL_GUARDS: Guards = {
  epoch: true,
  fromOffset: true,
  setDiesWithChain: true,
  checkpointMovesWithRows: true,
  neverAssumesCommitted: true,
  neverSendsAgain: true,
  sharedLossIsForAll: true,
  sharedRefusalIsForAll: true,
  uniqueKey: true,
  countsWhatWasInserted: true,
  refusesClosedMeanwhile: true,
  clockLock: true,
  writtenThroughMovesWithResults: true,
  rewindRaisesEpoch: true,
  oneLetterAPlace: true,
  oneSnapshot: true,
  clockRowUpdated: true,
  amendsAndMarksTogether: true,
};
