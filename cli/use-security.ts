// From settings to secured connections: reads the files that they name, and says it to Kafka's and Temporal's side of this process.
import { readFileSync } from 'node:fs';

import { secureKafka } from '../kafka/security.ts';
import { secureTemporal } from '../local/temporal-security.ts';
import { SETTINGS } from '../pipeline/setting-table.ts';
import { SettingsError } from '../pipeline/settings.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import type { Settings } from '../pipeline/settings.ts';

/** Throws SettingsError, with a sentence for each file that cannot be read. Their content is never part of it. */
export function useSecurity(settings: Settings): void {
  const problems: string[] = [];
  const read = (name: SettingName): string | null => {
    const path = settings[name];
    if (typeof path !== 'string') return null;
    try {
      const content = readFileSync(path, 'utf8').trim();
      if (content === '') problems.push(`${SETTINGS[name].env}: ${path} is empty.`);
      return content;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'no reason given';
      problems.push(`${SETTINGS[name].env}: ${path} cannot be read (${code}); name a file that this user may read.`);
      return null;
    }
  };
  const kafkaCa = read('kafkaCaFile');
  const password = settings.kafkaPassword ?? read('kafkaPasswordFile');
  const temporalCa = read('temporalCaFile');
  const cert = read('temporalCertFile');
  const key = read('temporalKeyFile');
  const apiKey = settings.temporalApiKey ?? read('temporalApiKeyFile');
  if (problems.length > 0) throw new SettingsError(problems);
  const { kafkaTls, kafkaSasl: mechanism, kafkaUsername: username } = settings;
  secureKafka({
    tls: kafkaTls === 'on' ? { ...(kafkaCa !== null && { ca: kafkaCa }) } : null,
    sasl: mechanism === 'none' || username === null || password === null ? null : { mechanism, username, password },
  });
  const { temporalTls, temporalServerName: serverName } = settings;
  const certificate = cert === null || key === null ? null : { cert, key };
  secureTemporal({ tls: temporalTls === 'on' ? { ca: temporalCa, certificate, serverName } : null, apiKey });
}
