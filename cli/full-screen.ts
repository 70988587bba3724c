// A terminal taken over for a view and given back as it was: on the end, on Ctrl-C, on Ctrl-Z, and when the process fails.

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
/** Terminals that know it show a frame only when it is whole; others ignore it. */
const FRAME_BEGINS = '\u001B[?2026h';
const FRAME_ENDS = '\u001B[?2026l';
const HOME = '\u001B[H';
const CLEAR_LINE_END = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';

const CTRL_C = '\u0003';
const CTRL_Z = '\u001A';

export type FullScreen = {
  /** Writes the lines over what is there, without clearing first: nothing flickers. */
  draw(lines: readonly string[]): void;
  size(): { readonly columns: number; readonly rows: number };
  /** Calls back when the size has changed or the terminal is back in front. */
  onChange(redraw: () => void): void;
  leave(): void;
};

/** Whether standard output is a terminal that can be drawn on. */
export function canDraw({ TERM }: { readonly TERM?: string | undefined }): boolean {
  return process.stdout.isTTY && TERM !== 'dumb';
}

/** Takes the terminal over. `onQuit`: somebody typed q or Ctrl-C. */
export function enterFullScreen(onQuit: () => void): FullScreen {
  const { stdin, stdout } = process;
  let isIn = false;
  let redraw = (): void => {};
  const enter = (): void => {
    isIn = true;
    stdout.write(ENTER);
    // Else what is typed appears on the view. Ctrl-C then comes as a character.
    if (stdin.isTTY) stdin.setRawMode(true);
  };
  const giveBack = (): void => {
    if (!isIn) return;
    isIn = false;
    if (stdin.isTTY) stdin.setRawMode(false);
    stdout.write(LEAVE);
  };
  const typed = (data: Buffer): void => {
    const keys = data.toString();
    if (keys.includes(CTRL_C) || keys.includes('q')) onQuit();
    else if (keys.includes(CTRL_Z)) suspend();
  };
  const suspend = (): void => {
    giveBack();
    process.once('SIGCONT', () => {
      enter();
      redraw();
    });
    process.kill(process.pid, 'SIGSTOP');
  };
  const changed = (): void => redraw();
  enter();
  if (stdin.isTTY) stdin.on('data', typed).resume();
  stdout.on('resize', changed);
  // Also after an error that nobody caught.
  process.once('exit', giveBack);
  return {
    draw: (lines) => {
      if (!isIn) return;
      const body = lines.map((line) => `${line}${CLEAR_LINE_END}`).join('\r\n');
      stdout.write(`${FRAME_BEGINS}${HOME}${body}${CLEAR_BELOW}${FRAME_ENDS}`);
    },
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    onChange: (callback) => {
      redraw = callback;
    },
    leave: () => {
      stdin.off('data', typed).pause();
      stdout.off('resize', changed);
      process.off('exit', giveBack);
      giveBack();
    },
  };
}
