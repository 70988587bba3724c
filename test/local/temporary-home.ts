// A home folder for one test file, deleted afterwards together with whatever still runs in it.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll } from 'vitest';

import { homeFolder, makeHome } from '../../local/home-folder.ts';
import type { HomeFolder } from '../../local/home-folder.ts';
import { resetStack } from '../../local/stack.ts';

/** Call inside a test file. PostgreSQL's own user can enter the folder. */
export function temporaryHome(): HomeFolder {
  const path = mkdtempSync(join(tmpdir(), 'weir-home-'));
  chmodSync(path, 0o755);
  const home = homeFolder(path);
  makeHome(home);
  afterAll(async () => {
    await resetStack({ home: path });
    rmSync(path, { recursive: true, force: true });
  });
  return home;
}
