// What the older build has in the place of workflows/patches.ts: it knows no patch and records none.

export function isPatched(): boolean {
  return false;
}
