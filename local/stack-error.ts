// What a person can put right when a server does not start: one sentence, shown without a stack trace.

/** Missing tool, taken port, unreachable address, wrong password: `message` says what happened and what to do next. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** The `code` of what Node or PostgreSQL threw (ENOENT, 28P01), or undefined. */
export function errorCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
