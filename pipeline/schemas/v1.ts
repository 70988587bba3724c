// Version 1 of the event schemas: the six event types as they began.
import { EVENT_TYPES } from '../event.ts';
import * as kinds from '../field-kinds.ts';

import type { SchemaVersion } from './schema-version.ts';

export const VERSION_1: SchemaVersion = {
  version: 1,
  adds: {
    every: {
      event_id: kinds.uuid,
      event_type: kinds.oneOf(...EVENT_TYPES),
      user_id: kinds.id,
      timestamp: kinds.time,
      device: kinds.text,
      location: kinds.text,
      session_id: kinds.id,
    },
    user_login: {
      login_method: kinds.oneOf('email', 'social', 'sso'),
      success: kinds.flag,
    },
    page_view: {
      page: kinds.oneOf('home', 'product', 'category', 'search', 'cart', 'checkout'),
      referrer: kinds.oneOf('search', 'direct', 'social', 'email'),
      duration_seconds: kinds.wholeNumber(0),
    },
    item_click: {
      item_id: kinds.id,
      category: kinds.text,
      position: kinds.wholeNumber(1),
    },
    purchase: {
      order_id: kinds.id,
      items: kinds.listOf(kinds.id),
      quantities: kinds.listOf(kinds.wholeNumber(1)),
      total_amount: kinds.money,
      currency: kinds.currency,
      payment_method: kinds.oneOf('credit_card', 'paypal', 'apple_pay'),
    },
    cart_add: {
      item_id: kinds.id,
      quantity: kinds.wholeNumber(1),
      category: kinds.text,
      price: kinds.money,
    },
    search: {
      search_query: kinds.text,
      results_count: kinds.wholeNumber(0),
      clicked_position: kinds.positionOrNull,
    },
  },
  widens: {},
};
