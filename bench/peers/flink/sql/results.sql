-- The five results of pipeline/aggregates.ts. What arrives behind the watermark, 5 minutes behind the newest event, is dropped.
CREATE TABLE event_counts (window_start TIMESTAMP(3), window_end TIMESTAMP(3), event_type STRING, event_count BIGINT, unique_users BIGINT,
  PRIMARY KEY (window_start, event_type) NOT ENFORCED) WITH ('table-name' = 'event_counts', ${SINK});
CREATE TABLE user_activity (window_start TIMESTAMP(3), window_end TIMESTAMP(3), user_id STRING, event_count BIGINT, events_by_type STRING,
  first_event TIMESTAMP(3), last_event TIMESTAMP(3),
  PRIMARY KEY (window_start, user_id) NOT ENFORCED) WITH ('table-name' = 'user_activity', ${SINK});
CREATE TABLE purchase_metrics (window_start TIMESTAMP(3), window_end TIMESTAMP(3), currency STRING, total_orders BIGINT,
  total_revenue DECIMAL(30, 2), avg_order_value DECIMAL(12, 2), max_order_value DECIMAL(12, 2), min_order_value DECIMAL(12, 2), unique_buyers BIGINT,
  PRIMARY KEY (window_start, currency) NOT ENFORCED) WITH ('table-name' = 'purchase_metrics', ${SINK});
-- session_duration_seconds is made by PostgreSQL from start and end: TIMESTAMPDIFF knows no milliseconds.
CREATE TABLE session_metrics (window_start TIMESTAMP(3), window_end TIMESTAMP(3), session_id STRING, user_id STRING, events_in_session BIGINT,
  events_by_type STRING, session_start TIMESTAMP(3), session_end TIMESTAMP(3),
  PRIMARY KEY (window_start, session_id) NOT ENFORCED) WITH ('table-name' = 'session_metrics', ${SINK});
CREATE TABLE device_stats (window_start TIMESTAMP(3), window_end TIMESTAMP(3), device STRING, location STRING, event_count BIGINT,
  unique_users BIGINT, unique_sessions BIGINT,
  PRIMARY KEY (window_start, device, location) NOT ENFORCED) WITH ('table-name' = 'device_stats', ${SINK});
INSERT INTO event_counts
  SELECT window_start, window_end, event_type, COUNT(*), COUNT(DISTINCT user_id)
  FROM TABLE(TUMBLE(TABLE event, DESCRIPTOR(`timestamp`), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, event_type;
INSERT INTO user_activity
  SELECT window_start, window_end, user_id, COUNT(*),
    JSON_OBJECT(KEY 'user_login' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'user_login'), 0),
      KEY 'page_view' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'page_view'), 0),
      KEY 'item_click' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'item_click'), 0),
      KEY 'purchase' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'purchase'), 0),
      KEY 'cart_add' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'cart_add'), 0),
      KEY 'search' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'search'), 0) ABSENT ON NULL),
    CAST(MIN(`timestamp`) AS TIMESTAMP(3)), CAST(MAX(`timestamp`) AS TIMESTAMP(3))
  FROM TABLE(HOP(TABLE event, DESCRIPTOR(`timestamp`), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, user_id;
INSERT INTO purchase_metrics
  SELECT window_start, window_end, currency, COUNT(*), CAST(SUM(total_amount) AS DECIMAL(30, 2)), CAST(AVG(total_amount) AS DECIMAL(12, 2)),
    MAX(total_amount), MIN(total_amount), COUNT(DISTINCT user_id)
  FROM TABLE(TUMBLE(TABLE event, DESCRIPTOR(`timestamp`), INTERVAL '10' MINUTE)) WHERE event_type = 'purchase'
  GROUP BY window_start, window_end, currency;
INSERT INTO session_metrics
  SELECT window_start, window_end, session_id, MIN(user_id), COUNT(*),
    JSON_OBJECT(KEY 'user_login' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'user_login'), 0),
      KEY 'page_view' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'page_view'), 0),
      KEY 'item_click' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'item_click'), 0),
      KEY 'purchase' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'purchase'), 0),
      KEY 'cart_add' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'cart_add'), 0),
      KEY 'search' VALUE NULLIF(COUNT(*) FILTER (WHERE event_type = 'search'), 0) ABSENT ON NULL),
    CAST(MIN(`timestamp`) AS TIMESTAMP(3)), CAST(MAX(`timestamp`) AS TIMESTAMP(3))
  FROM TABLE(TUMBLE(TABLE event, DESCRIPTOR(`timestamp`), INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, session_id;
INSERT INTO device_stats
  SELECT window_start, window_end, device, location, COUNT(*), COUNT(DISTINCT user_id), COUNT(DISTINCT session_id)
  FROM TABLE(TUMBLE(TABLE event, DESCRIPTOR(`timestamp`), INTERVAL '10' MINUTE)) GROUP BY window_start, window_end, device, location;
