// The settings of Debezium's JDBC sink.
import { readFileSync } from 'node:fs';

import { fileHere } from './install.ts';
import { jdbcOf } from './sink.ts';
import type { JobOrder } from './system.ts';

const BATCH = '5000';

/** As Connect's REST takes them; README.md says why each. `letters`: the topic of what is no JSON. */
export function connectorSettings(order: JobOrder, letters: string): Readonly<Record<string, string>> {
  const { url, user, password } = jdbcOf(order.addresses.postgres.url, order.schema);
  // The converter takes the schema as one line.
  const schema = JSON.stringify(JSON.parse(readFileSync(fileHere('connect/event-schema.json'), 'utf8')));
  const once = {
    'insert.mode': 'upsert',
    'primary.key.mode': 'record_value',
    'primary.key.fields': 'event_id',
    'use.reduction.buffer': 'true',
  };
  const append = { 'insert.mode': 'insert', 'primary.key.mode': 'none' };
  return {
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': '6',
    topics: order.topic,
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': 'true',
    'value.converter.schema.content': schema,
    'connection.url': url,
    'connection.username': user,
    'connection.password': password,
    'connection.provider': 'org.hibernate.engine.jdbc.connections.internal.DriverManagerConnectionProviderImpl',
    'hibernate.connection.pool_size': '2',
    'collection.name.format': 'raw',
    'schema.evolution': 'none',
    'batch.size': BATCH,
    'dialect.postgres.unnest.insert.enabled': 'true',
    transforms: 'arrays',
    'transforms.arrays.type': 'ArraysToJson',
    'consumer.override.max.poll.records': BATCH,
    'consumer.override.auto.offset.reset': 'earliest',
    'errors.tolerance': 'all',
    'errors.deadletterqueue.topic.name': letters,
    'errors.deadletterqueue.topic.replication.factor': '1',
    'errors.deadletterqueue.context.headers.enable': 'true',
    ...(order.job === 'raw' ? once : append),
  };
}
