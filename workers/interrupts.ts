// Ctrl-C and SIGTERM: the first one asks for an orderly end, a second one for an end at once.

/** A second Ctrl-C within this time is the same one: under npm a terminal's Ctrl-C arrives twice, once forwarded by npm. */
const SAME_MS = 1_000;

export type Interrupts = {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Called by every signal that comes later. */
  onInsisting(act: () => void): void;
  /** Leaves signals to others again. */
  forget(): void;
};

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Listens to SIGINT, SIGTERM and SIGHUP from now on. */
export function listenForInterrupts(): Interrupts {
  const first = new AbortController();
  let firstAtMs = 0;
  let insist = (): void => {};
  const heard = (): void => {
    if (!first.signal.aborted) {
      firstAtMs = performance.now();
      first.abort();
    } else if (performance.now() - firstAtMs > SAME_MS) insist();
  };
  for (const name of SIGNALS) process.on(name, heard);
  return {
    signal: first.signal,
    onInsisting: (act) => {
      insist = act;
    },
    forget: () => {
      for (const name of SIGNALS) process.off(name, heard);
    },
  };
}

/** Waits `ms`, or less when the signal comes first. */
export async function waitMs(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
