// An event: one message that is valid by its schema. Its identity is (occurred_at, event_id).

export const EVENT_TYPES = ['user_login', 'page_view', 'item_click', 'purchase', 'cart_add', 'search'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** The fields of a message's JSON, after its type's schema has accepted them. Own fields of other types are absent. */
export type EventFields = {
  readonly event_id: string;
  readonly event_type: EventType;
  readonly user_id: string;
  readonly timestamp: string;
  readonly device: string;
  readonly location: string;
  readonly session_id: string;
  readonly schema_version?: number;
  readonly login_method?: string;
  readonly success?: boolean;
  readonly page?: string;
  readonly referrer?: string;
  readonly duration_seconds?: number;
  readonly item_id?: string;
  readonly category?: string;
  readonly position?: number;
  readonly order_id?: string;
  readonly items?: readonly string[];
  readonly quantities?: readonly number[];
  readonly total_amount?: number;
  readonly currency?: string;
  readonly payment_method?: string;
  readonly coupon_code?: string;
  readonly quantity?: number;
  readonly price?: number;
  readonly search_query?: string;
  readonly results_count?: number;
  readonly clicked_position?: number | null;
};

/**
 * A valid event. `occurredAtMs` is epoch milliseconds; `occurredAtUs` the microseconds (0 to 999) below it, so that no
 * year loses precision. `eventId` is the lower-case uuid. `extra` is JSON text of the unknown fields, or null.
 */
export type Event = {
  readonly eventId: string;
  readonly occurredAtMs: number;
  readonly occurredAtUs: number;
  readonly fields: EventFields;
  readonly extra: string | null;
};
