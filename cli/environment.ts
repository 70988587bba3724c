// The environment: the one file that reads it.

/** The process's variables, for `resolveSettings` and for child processes. */
export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}
