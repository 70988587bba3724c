// Moves this process's clock before anything else is loaded: a machine whose time is wrong.
import { must } from '../../pipeline/ensure.ts';

const { clockAheadMs }: { clockAheadMs: number } = JSON.parse(must(process.argv[2], 'the options of the worker'));

if (clockAheadMs !== 0) {
  const now = Date.now.bind(Date);
  // What asks for the time asks by Date.now(); `new Date()` without it is only used to print.
  Date.now = () => now() + clockAheadMs;
}
