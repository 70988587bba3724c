// The addresses of the real servers that the whole test run shares.
import 'vitest';

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
