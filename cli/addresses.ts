// Where the servers are: what the environment names, else what the local stack wrote down when it started.
import { stackAddresses } from '../local/stack.ts';
import type { StackAddresses } from '../local/stack.ts';
import type { Settings } from '../pipeline/settings.ts';
import { CliFailure } from './failure.ts';

/** Addresses for a command. Throws CliFailure that names what is missing and how to get it. */
export function addressesOf(settings: Settings): StackAddresses {
  const written = stackAddresses(settings.home);
  const brokers = settings.kafkaBrokers ?? written?.kafka.brokers;
  const url = settings.postgresUrl ?? written?.postgres.url;
  const address = settings.temporalAddress ?? written?.temporal.address;
  if (brokers && url && address) {
    const ui = address === written?.temporal.address ? written.temporal.ui : null;
    return { kafka: { brokers: [...brokers] }, postgres: { url }, temporal: { address, ui } };
  }
  const missing = [!brokers && 'WEIR_KAFKA_BROKERS', !url && 'WEIR_POSTGRES_URL', !address && 'WEIR_TEMPORAL_ADDRESS'];
  const variables = missing.filter(Boolean).join(', ');
  throw new CliFailure(
    `No local stack is known in ${settings.home}; start one with \`weir up\` or \`weir stack start\`, or set ${variables}.`,
  );
}
