// One row of the table of settings.

/**
 * One row of the table. `default` is the text a user would write; empty: not set. `flag` null: only the variable. `secret`: never
 * shown. `parse` throws what is wrong, without a full stop.
 */
export type SettingRow<T> = {
  readonly env: string;
  readonly flag: string | null;
  readonly type: string;
  readonly unit: string | null;
  readonly default: string;
  readonly why: string;
  readonly secret?: true;
  readonly parse: (text: string) => T;
};
