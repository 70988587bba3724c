// Makes a failing value smaller: parts are cut out as long as it still fails.

const MOST_TRIALS = 4_000;

/** The smallest value found for which `fails` still holds. */
export function minimised(value: Buffer, fails: (value: Buffer) => boolean): Buffer {
  let smallest = value;
  let trials = 0;
  for (let size = value.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < smallest.length && trials < MOST_TRIALS; trials += 1) {
      const shorter = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (fails(shorter)) smallest = shorter;
      else at += size;
    }
  }
  return smallest;
}
