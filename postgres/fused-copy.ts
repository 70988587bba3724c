// One transaction as one round trip: statements with COPY among them go out as one simple query, the copy data right
// behind it, without waiting for PostgreSQL to ask. Several statements in a simple query are one implicit transaction.
import type { Submittable } from 'pg';
import type pg from 'pg';

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);

function copyDataHeader(bytes: number): Buffer {
  const header = Buffer.allocUnsafe(5);
  header[0] = 0x64;
  header.writeInt32BE(bytes + 4, 1);
  return header;
}

/**
 * Uses the query interface inside `pg`, as pg-copy-streams does: pin `pg`. Whatever fails, PostgreSQL rolls everything
 * back, ignores the copy data that is still under way, and the connection stays usable.
 */
class FusedCopy implements Submittable {
  readonly rows: (string | null)[][] = [];
  readonly done: Promise<(string | null)[][]>;
  // Looked at by `pg` before it installs a callback of its own.
  readonly callback = (): void => {};
  readonly #text: string;
  readonly #copies: readonly Buffer[];
  #resolve!: (rows: (string | null)[][]) => void;
  #reject!: (error: Error) => void;

  constructor(text: string, copies: readonly Buffer[]) {
    this.#text = text;
    this.#copies = copies;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: pg.Connection): void {
    const { stream } = connection;
    stream.cork();
    connection.query(this.#text);
    for (const data of this.#copies) {
      stream.write(copyDataHeader(data.length));
      stream.write(data);
      stream.write(COPY_DONE);
    }
    stream.uncork();
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.rows.push(message.fields);
  }

  // An ErrorResponse takes the query off the client: handleReadyForQuery will not come, so the promise settles here.
  handleError(error: Error): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve(this.rows);
  }

  handleCopyInResponse(): void {}
  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
}

/**
 * Runs `sql` as one transaction on a non-pipelined client; `copies` are the data of its COPY ... FROM STDIN statements,
 * in their order, and must not be touched until this settles. Resolves to the rows of its SELECTs, as text. Rejects with
 * PostgreSQL's error (its SQLSTATE in `code`), or with a connection error, after which the outcome is unknown.
 */
export async function fusedCopy(
  client: pg.Client,
  sql: string,
  copies: readonly Buffer[],
): Promise<(string | null)[][]> {
  return await client.query(new FusedCopy(sql, copies)).done;
}
