// The demo generator of `weir up`: shoppers with a few flaws, so that every path of the pipeline shows something.
import { createGeneratorSpec } from '../generator/generator-spec.ts';
import type { GeneratorSpec } from '../generator/generator-spec.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { generatorId } from '../pipeline/ids.ts';
import { SETTINGS } from '../pipeline/setting-table.ts';
import type { SettingOrigins, Settings } from '../pipeline/settings.ts';
import type { GeneratorState } from '../workflows/generator-state.ts';
import { CliFailure } from './failure.ts';
import { flawsOf } from './flaws.ts';
import { grouped } from './output.ts';
import { generatorTarget } from './targets.ts';
import { ensureWorkflow } from './temporal-control.ts';
import type { Control } from './temporal-control.ts';

export const DEMO = {
  name: 'demo',
  rate: 500,
  disorder: 0.01,
  duplicates: 0.005,
  malformed: 0.002,
  late: 0.001,
} as const;

/** Each topic has a demo of its own; the usual topic's has the short name. */
function demoName(topic: string): string {
  return topic === SETTINGS.topic.default ? 'demo' : `demo-${topic}`.slice(0, 64);
}

/** Rules under which first windows and sessions close soon enough to watch. */
export const DEMO_RULES = { latenessMs: 20_000, sessionGapMs: 300_000 } as const;

/** The settings with the rules of a demo, where nobody chose them. */
export function withDemoRules(settings: Settings, origins: SettingOrigins): Settings {
  const { latenessMs, sessionGapMs } = DEMO_RULES;
  return {
    ...settings,
    ...(origins.get('latenessMs') === 'default' && { latenessMs }),
    ...(origins.get('sessionGapMs') === 'default' && { sessionGapMs }),
  };
}

export type DemoWish = { readonly rate: number | null; readonly seed: number | null };

/** The specification for a wish; a new seed unless one is given, since the same one would make the same event ids again. */
export function demoSpec(topic: string, { rate, seed }: DemoWish): GeneratorSpec {
  try {
    return createGeneratorSpec({
      ...DEMO,
      name: demoName(topic),
      topic,
      rate: rate ?? DEMO.rate,
      seed: seed ?? Math.floor(Date.now() / 1000),
    });
  } catch (thrown) {
    throw new CliFailure(messageOf(thrown), { cause: thrown });
  }
}

/** Starts the demo generator, or lets the one of an earlier run go on; answers in one sentence what it does. Needs a worker. */
export async function startDemo(control: Control, topic: string, wish: DemoWish): Promise<string> {
  const name = demoName(topic);
  const target = generatorTarget(name);
  if (await control.isRunning(generatorId(name))) {
    let state = await control.update<GeneratorState>(target, 'resume', { withinMs: 15_000 });
    if (wish.rate !== null && wish.rate !== state.rate) {
      state = await control.update<GeneratorState>(target, 'setRate', { args: [wish.rate], withinMs: 15_000 });
    }
    return `Generator ${name} goes on at ${grouped(state.rate)} events/s from message ${grouped(state.nextIndex)}.`;
  }
  const spec = demoSpec(topic, wish);
  await ensureWorkflow(control, {
    type: 'generateEvents',
    id: generatorId(name),
    queue: 'generator',
    input: { spec },
    memo: { spec },
    summary: `demo: ${grouped(spec.rate)} events/s into ${topic}`,
    details: `${demoSentence(spec)} \`weir generator rate\`, \`pause\` and \`stop\` speak to it.`,
    topic,
  });
  return demoSentence(spec);
}

/** What it makes, every flaw included: nobody should take them for faults of the pipeline. */
export const demoSentence = (spec: GeneratorSpec): string =>
  `Generator ${spec.name} makes ${grouped(spec.rate)} events/s (seed ${spec.seed}): ${flawsOf(spec)}.`;

/** Pauses the demo generator if it runs, so that no backlog builds up meanwhile. True when it was paused. */
export async function pauseDemo(control: Control, topic: string): Promise<boolean> {
  const name = demoName(topic);
  if (!(await control.isRunning(generatorId(name)))) return false;
  await control.update<GeneratorState>(generatorTarget(name), 'pause', { withinMs: 6_000 });
  return true;
}
