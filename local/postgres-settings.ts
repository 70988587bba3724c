// The settings of the local PostgreSQL, each with its reason: for one machine that also runs Kafka, Temporal and the workers.

type Setting = { readonly name: string; readonly value: string; readonly why: string };

const SETTINGS: readonly Setting[] = [
  { name: 'listen_addresses', value: "'127.0.0.1'", why: 'nobody outside this machine' },
  {
    name: 'unix_socket_directories',
    value: "''",
    why: 'TCP only: a socket file would collide with other servers and long paths',
  },
  {
    name: 'max_connections',
    value: '200',
    why: 'several workers with a pool each, their closers, verify, and a person with psql',
  },
  { name: 'shared_buffers', value: '256MB', why: 'holds the pages of the open days; the rest stays in the page cache' },
  {
    name: 'max_wal_size',
    value: '4GB',
    why: 'catch-up writes about 100 MB/s: the default 1 GB would force a checkpoint every 10 s',
  },
  { name: 'min_wal_size', value: '512MB', why: 'recycled segments are cheaper than new ones' },
  {
    name: 'checkpoint_timeout',
    value: '15min',
    why: 'fewer full page images; a restart after a crash still takes seconds',
  },
  {
    name: 'wal_compression',
    value: 'off',
    why: 'these programs know pglz only, which spends processor time, and that is what is short here',
  },
  {
    name: 'max_locks_per_transaction',
    value: '256',
    why: 'a query over all days locks every day table and its indexes',
  },
  { name: 'work_mem', value: '16MB', why: 'one window sorts and groups in memory' },
  { name: 'maintenance_work_mem', value: '128MB', why: 'vacuum and index builds of a day in one pass' },
  {
    name: 'autovacuum',
    value: 'on',
    why: 'checkpoints are updated hundreds of times a second for as long as events come',
  },
  {
    name: 'autovacuum_naptime',
    value: '15s',
    why: 'dead versions of checkpoints fill up to ten pages a second while a long transaction keeps them: a look is cheap',
  },
  { name: 'jit', value: 'off', why: 'statements here are short: compiling costs more than it saves' },
  { name: 'timezone', value: "'UTC'", why: 'windows are cut in UTC' },
  { name: 'log_timezone', value: "'UTC'", why: 'log lines can be laid beside the other logs' },
  { name: 'log_checkpoints', value: 'off', why: 'the log is for what went wrong' },
];

/** The text of the settings file, `port` included. */
export function postgresSettings(port: number): string {
  const lines = SETTINGS.map(({ name, value, why }) => `${name} = ${value}  # ${why}`);
  return `# Written by weir at every start: put your own settings into postgresql.conf, after the include.\nport = ${port}\n${lines.join('\n')}\n`;
}
