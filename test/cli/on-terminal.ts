// Runs the real `weir` command on a terminal, where it can ask: `script` gives it one.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const WEIR = fileURLToPath(new URL('../../cli/weir.js', import.meta.url));

/** Whether this machine has `script`. */
export const HAS_TERMINAL = spawnSync('script', ['--version']).status === 0;

/** Types `answer` at the first question. `command`: the words behind weir, as a shell reads them. */
export async function answerWeir(
  command: string,
  { answer, env }: { answer: string; env: Readonly<Record<string, string>> },
): Promise<{ code: number | null; output: string }> {
  const line = `${process.execPath} ${WEIR} ${command}`;
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    env: { PATH: process.env.PATH, NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    const asked = output.includes('Type yes');
    output += data.toString();
    if (!asked && output.includes('Type yes')) child.stdin.write(`${answer}\n`);
  });
  const code = await new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  return { code, output };
}
