// Version 2 of the event schemas: an order may carry the code of a coupon and may be paid with Google Pay.
import * as kinds from '../field-kinds.ts';

import type { SchemaVersion } from './schema-version.ts';

export const VERSION_2: SchemaVersion = {
  version: 2,
  adds: { purchase: { coupon_code: kinds.optional(kinds.text) } },
  widens: { purchase: { payment_method: kinds.alsoOneOf('google_pay') } },
};
