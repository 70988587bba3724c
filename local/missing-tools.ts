// Which tools this machine lacks for the servers it is to start, each with the sentence that says what to do about it.
import { existsSync } from 'node:fs';

import type { ServerName } from './home-folder.ts';
import { findJava, findMaven, kafkaJarsFolder } from './kafka-jars.ts';
import { findPostgresPackage } from './postgres-programs.ts';
import { StackError } from './stack-error.ts';
import { findGo, readyTemporal } from './temporal-program.ts';

/** One sentence for each missing tool; empty when all is there. Maven and Go are needed only until they have done their work once. */
export function missingTools(wanted: Readonly<Record<ServerName, boolean>>): string[] {
  const sentences: string[] = [];
  const need = (find: () => unknown): void => {
    try {
      find();
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      sentences.push(error.message);
    }
  };
  if (wanted.kafka) need(findJava);
  if (wanted.kafka && !existsSync(kafkaJarsFolder())) need(findMaven);
  if (wanted.postgres) need(findPostgresPackage);
  if (wanted.temporal && readyTemporal() === null) need(findGo);
  return sentences;
}
