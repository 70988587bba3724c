// The addresses of the real servers that the whole test run shares.
import type {} from 'vitest';

export type Servers = {
  readonly kafkaBrokers: string[];
  readonly postgresUrl: string;
  readonly temporalAddress: string;
};

declare module 'vitest' {
  export interface ProvidedContext {
    servers: Servers;
  }
}
