-- What is no JSON is skipped without a trace; fields that an event does not have are null.
CREATE TABLE messages (
  event_id STRING, event_type STRING, user_id STRING, `timestamp` TIMESTAMP_LTZ(3), device STRING, location STRING, session_id STRING,
  login_method STRING, success BOOLEAN, page STRING, referrer STRING, duration_seconds INT,
  item_id STRING, category STRING, `position` INT, quantity INT, price DECIMAL(12, 2),
  search_query STRING, results_count INT, clicked_position INT,
  order_id STRING, items STRING, quantities STRING, total_amount DECIMAL(12, 2), currency STRING, payment_method STRING,
  processed_at AS PROCTIME(),
  WATERMARK FOR `timestamp` AS `timestamp` - INTERVAL '5' MINUTE
) WITH (
  'connector' = 'kafka', 'topic' = '${TOPIC}', 'properties.bootstrap.servers' = '${BROKERS}', 'properties.group.id' = '${GROUP}',
  'scan.startup.mode' = 'earliest-offset', ${BOUNDED}
  'format' = 'json', 'json.ignore-parse-errors' = 'true', 'json.timestamp-format.standard' = 'ISO-8601'
);
