-- The JDBC sink cannot write arrays: items and quantities stay the JSON text that they were.
CREATE TABLE raw_events (
  event_id STRING, event_type STRING, user_id STRING, `timestamp` TIMESTAMP(3), device STRING, location STRING, session_id STRING,
  login_method STRING, success BOOLEAN, page STRING, referrer STRING, duration_seconds INT,
  item_id STRING, category STRING, `position` INT, quantity INT, price DECIMAL(12, 2),
  search_query STRING, results_count INT, clicked_position INT,
  order_id STRING, items STRING, quantities STRING, total_amount DECIMAL(12, 2), currency STRING, payment_method STRING${RAW_KEY}
) WITH ('table-name' = 'raw', ${SINK});
INSERT INTO raw_events SELECT
  event_id, event_type, user_id, CAST(`timestamp` AS TIMESTAMP(3)), device, location, session_id, login_method, success, page, referrer,
  duration_seconds, item_id, category, `position`, quantity, price, search_query, results_count, clicked_position,
  order_id, items, quantities, total_amount, currency, payment_method
FROM event;
