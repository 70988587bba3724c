// The REST interface of a Kafka Connect worker, as far as the bench needs it.

type Status = { readonly tasks?: readonly { readonly state: string; readonly trace?: string }[] };

export class ConnectRest {
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
  }

  /** Whether the worker is up. */
  async answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.#address}/connectors`)).ok;
    } catch {
      return false;
    }
  }

  async create(name: string, settings: Readonly<Record<string, string>>): Promise<void> {
    const answer = await fetch(`${this.#address}/connectors`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, config: settings }),
    });
    if (!answer.ok) throw new Error(`Kafka Connect refused the connector: ${(await answer.text()).slice(0, 300)}`);
  }

  /** Throws when a task of the connector has died: it is not started again by itself. */
  async refuseFailure(name: string, logFile: string): Promise<void> {
    const answer = await fetch(`${this.#address}/connectors/${name}/status`);
    if (!answer.ok) return;
    const status: Status = JSON.parse(await answer.text());
    const failed = status.tasks?.find(({ state }) => state === 'FAILED');
    if (failed === undefined) return;
    const cause = failed.trace?.split('\n').findLast((line) => line.startsWith('Caused by:'));
    throw new Error(`A task of Kafka Connect died (${cause ?? 'no cause given'}); see ${logFile}.`);
  }
}
