// What reading a topic again has found missing and put back: rows at offsets which had been read before.

/** `events`: those of closed panes. Those of open ones count in no result yet. */
export type PutBack = { readonly events: number; readonly letters: number };
