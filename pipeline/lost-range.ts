// A lost range: offsets that a partition has never read and that Kafka no longer holds (guarantee 8).

/** Offsets `[fromOffset, toOffset)` as decimal strings; `lost`: how many they are, at most as many messages. */
export type LostOffsets = { readonly fromOffset: string; readonly toOffset: string; readonly lost: string };

/** What accepting the lost range of a partition did. `lost` is "0" when nothing was missing: nothing has changed then. */
export type AcceptedGap = LostOffsets & { readonly partition: number };

/**
 * Why a log does not hold a partition's next offset. `gone`: it starts behind it, which can be accepted. `beyond-end`: it
 * ends before it (the topic was made anew, the log was cut), which accepting a gap cannot repair.
 */
export type LostRange =
  | ({ readonly kind: 'gone' } & Pick<LostOffsets, 'fromOffset' | 'toOffset'>)
  | { readonly kind: 'beyond-end'; readonly nextOffset: string; readonly endOffset: string };
