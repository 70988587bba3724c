// A worker process of the older build: today's code, with the list of schema versions that it had before version 2.
import { register } from 'node:module';

const OLDER = new URL('./older-schemas.ts', import.meta.url).href;
// Whoever asks for the list of versions gets the older one; all that is derived from it follows.
const hook = `export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  const isList = new URL(found.url).pathname.endsWith('/pipeline/schemas/versions.ts');
  return isList ? { ...found, url: ${JSON.stringify(OLDER)} } : found;
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
await import('../workflows/worker-program.ts');
