// The report on an export: what its messages are, what is wrong with them and how far out of order they come.
import { parseMessage } from '../pipeline/parse-message.ts';
import type { RejectionReason } from '../pipeline/rejection.ts';
import { Repeats } from './repeats.ts';
import { createShopReport } from './shop-report.ts';
import type { ShopReport } from './shop-report.ts';
import { Tally } from './tally.ts';
import type { Range } from './tally.ts';

/**
 * `messages` = `events` + `duplicates` + `malformed`. `shop`: of the events, so without what comes twice. `behind`: how far the
 * event time of each lies behind the newest before it (ms), as a watermark sees it. `repeated`: how many messages back the
 * same was last told. `firstMs`, `lastMs`: event times, epoch ms.
 */
export type ExportReport = {
  readonly messages: number;
  readonly bytes: number;
  readonly events: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly firstMs: number | null;
  readonly lastMs: number | null;
  readonly shop: ShopReport;
  readonly behind: readonly Range[];
  readonly mostBehindMs: number;
  readonly repeated: readonly Range[];
  readonly reasons: readonly { readonly reason: RejectionReason; readonly messages: number }[];
  readonly versions: readonly { readonly version: number; readonly events: number }[];
};

const BEHIND_FROM_MS = [0, 1, 1_000, 10_000, 60_000, 300_000, 3_600_000];
const REPEATED_FROM = [1, 2, 5_001];
/** No line tells when its message was sent: only a date beyond any plan counts as too far in the future. */
const RULES = { maxFutureMs: 10 * 365 * 86_400_000, retentionMs: null };

/** Takes message after message in the order in which they were sent; `close` ends it. Bounded memory, whatever the number. */
export class ExportCensus {
  readonly #shop = createShopReport();
  readonly #repeats = new Repeats();
  readonly #reasons = new Map<RejectionReason, number>();
  readonly #versions = new Map<number, number>();
  readonly #behind = new Tally(BEHIND_FROM_MS);
  readonly #repeated = new Tally(REPEATED_FROM);
  readonly #readAtMs = Date.now();
  #messages = 0;
  #bytes = 0;
  #duplicates = 0;
  #malformed = 0;
  #firstMs = Infinity;
  #lastMs = -Infinity;

  add(value: Buffer): void {
    const number = this.#messages;
    this.#messages += 1;
    this.#bytes += value.length;
    const message = { offset: number, timestampMs: this.#readAtMs, key: null, value, headers: [] };
    const { event, rejection } = parseMessage(message, RULES);
    if (event === null) {
      this.#malformed += 1;
      this.#reasons.set(rejection.reason, (this.#reasons.get(rejection.reason) ?? 0) + 1);
      return;
    }
    const { fields, occurredAtMs } = event;
    const back = this.#repeats.distanceOf(`${event.eventId}${occurredAtMs}.${event.occurredAtUs}`, number);
    if (back !== null) {
      this.#duplicates += 1;
      this.#repeated.add(back);
      return;
    }
    this.#behind.add(Math.max(0, this.#lastMs - occurredAtMs));
    this.#firstMs = Math.min(this.#firstMs, occurredAtMs);
    this.#lastMs = Math.max(this.#lastMs, occurredAtMs);
    const version = fields.schema_version ?? 1;
    this.#versions.set(version, (this.#versions.get(version) ?? 0) + 1);
    this.#shop.add(fields, occurredAtMs);
  }

  close(): ExportReport {
    const shop = this.#shop.close();
    const reasons = [...this.#reasons].map(([reason, messages]) => ({ reason, messages }));
    const versions = [...this.#versions].map(([version, events]) => ({ version, events }));
    return {
      messages: this.#messages,
      bytes: this.#bytes,
      events: shop.events,
      duplicates: this.#duplicates,
      malformed: this.#malformed,
      firstMs: shop.events === 0 ? null : this.#firstMs,
      lastMs: shop.events === 0 ? null : this.#lastMs,
      shop,
      behind: this.#behind.ranges(),
      mostBehindMs: this.#behind.most,
      repeated: this.#repeated.ranges(),
      reasons: reasons.toSorted((one, other) => other.messages - one.messages),
      versions: versions.toSorted((one, other) => one.version - other.version),
    };
  }
}
