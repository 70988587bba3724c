// Picks the port of each server: the one it had before, else the usual one, else any free one.
import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

import getPort, { clearLockedPorts } from 'get-port';

/** Every port a stack can need; kafkaController is Kafka's talk with itself. */
export const USUAL_PORTS = {
  kafka: 9092,
  kafkaController: 9093,
  postgres: 5432,
  temporal: 7233,
  temporalUi: 8233,
} as const;
const LINGER_MS = 1_500;
const [LASTING_FROM, LASTING_TO] = [15_000, 32_000];
const TRIES = 20;
export type PortName = keyof typeof USUAL_PORTS;
const PORT_NAMES: readonly PortName[] = ['kafka', 'kafkaController', 'postgres', 'temporal', 'temporalUi'];
export type StackPorts = Readonly<Record<PortName, number>>;

export type PortWish = {
  /** Ports of an earlier start: Kafka's clients and people's bookmarks know them. */
  readonly remembered: StackPorts | null;
  /** Ports that a server of this stack listens on right now, which are therefore right although not free. */
  readonly inUse: readonly PortName[];
  /** `any` leaves the usual ports to others: tests must not take those of the stack a person starts next. */
  readonly first: 'usual' | 'any';
};

/** A port for each name. Nothing is reserved: a server that finds its port gone meanwhile has to choose again. */
export async function choosePorts(wish: PortWish): Promise<StackPorts> {
  const { remembered, inUse } = wish;
  if (remembered) await soonFree(PORT_NAMES.filter((name) => !inUse.includes(name)).map((name) => remembered[name]));
  // get-port never hands out a port twice within 15 s: right within one round, wrong for a stack that starts again.
  clearLockedPorts();
  const chosen: Record<PortName, number> = { ...USUAL_PORTS };
  for (const name of PORT_NAMES) {
    const before = wish.remembered?.[name];
    const usual = wish.first === 'usual' ? USUAL_PORTS[name] : undefined;
    if (before !== undefined && wish.inUse.includes(name)) chosen[name] = before;
    else
      chosen[name] = await getPort({
        port: [...[before, usual].filter((port) => port !== undefined), ...lastingPorts()],
      });
  }
  return chosen;
}

/**
 * Ports in a random order, outside of those that Linux gives to outgoing connections: one of these can take the port of a server
 * that is stopped for a moment.
 */
function lastingPorts(): number[] {
  return Array.from({ length: TRIES }, () => randomInt(LASTING_FROM, LASTING_TO));
}

/** One port: the one it had before, else the usual one, else any free one. */
export async function choosePort({ before, usual }: { before: number | null; usual: number }): Promise<number> {
  if (before !== null) await soonFree([before]);
  clearLockedPorts();
  return await getPort({ port: [...(before === null ? [] : [before]), usual, ...lastingPorts()] });
}

/** A killed server holds its port for a moment longer: worth waiting for, since people and clients know the port. */
async function soonFree(ports: readonly number[]): Promise<void> {
  const deadline = Date.now() + LINGER_MS;
  for (const port of ports) {
    while (Date.now() < deadline && !(await isPortFree(port))) await pause(50);
  }
}

/** Whether nothing listens on `port` of this machine. */
export async function isPortFree(port: number): Promise<boolean> {
  clearLockedPorts();
  return (await getPort({ port })) === port;
}
