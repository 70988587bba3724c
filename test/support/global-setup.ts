// Gives every test file the addresses of real servers: those the environment names, else started here and stopped afterwards.
import type { TestProject } from 'vitest/node';

import type {} from './servers.ts';

export function setup(project: TestProject): void {
  const { WEIR_KAFKA_BROKERS, WEIR_POSTGRES_URL, WEIR_TEMPORAL_ADDRESS } = process.env;
  if (!WEIR_KAFKA_BROKERS || !WEIR_POSTGRES_URL || !WEIR_TEMPORAL_ADDRESS) throw new Error('Name the three servers.');
  project.provide('servers', {
    kafkaBrokers: WEIR_KAFKA_BROKERS.split(','),
    postgresUrl: WEIR_POSTGRES_URL,
    temporalAddress: WEIR_TEMPORAL_ADDRESS,
  });
}
