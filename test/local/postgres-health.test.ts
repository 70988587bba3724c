// Which PostgreSQL is new enough, and what is said to somebody whose server is not.
import { expect, test } from 'vitest';

import { refuseOlder } from '../../local/postgres-health.ts';

const URL = 'postgres://me:secret@db:5432/shop';

test.each(['16.0', '16.4 (Debian 16.4-1.pgdg120+1)', '17beta1', '18.4'])('%s is new enough', (version) => {
  expect(() => refuseOlder(version, URL)).not.toThrow();
});

test.each(['15.18 (Debian 15.18-0+deb12u1)', '9.6.24', '14'])('%s is refused, with what to do', (version) => {
  expect(() => refuseOlder(version, URL)).toThrow(
    `PostgreSQL at postgres://me:***@db:5432/shop (WEIR_POSTGRES_URL) is ${version} and weir needs 16 or newer: upgrade it, ` +
      'name another one in the URL, or unset the variable to have PostgreSQL started here.',
  );
});
