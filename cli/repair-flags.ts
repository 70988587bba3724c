// The flags that say what is changed in dead letters before they are sent again.
import { Option } from 'commander';
import type { Command } from 'commander';

import { parseRename, parseSet } from '../pipeline/repair.ts';
import type { Repair, RepairStep } from '../pipeline/repair.ts';
import { parsedBy } from './command.ts';
import { compileTransform } from './compile-transform.ts';

export type RepairFlags = { readonly set?: RepairStep[]; readonly rename?: RepairStep[]; readonly transform?: string };

/** Adds `--set`, `--rename` and `--transform`; `repairOf` reads them. */
export function addRepairFlags(command: Command): Command {
  // Both flags add to one list: the steps are taken in the order in which they were written.
  const steps: RepairStep[] = [];
  const step = (parse: (text: string) => RepairStep) => {
    const read = parsedBy(parse);
    return (text: string): RepairStep[] => {
      steps.push(read(text));
      return steps;
    };
  };
  return command
    .addOption(
      new Option('--set <field=value>', 'give a field this value, JSON or else text (may be repeated)').argParser(
        step(parseSet),
      ),
    )
    .addOption(
      new Option('--rename <old=new>', 'give a field another name where there is one (may be repeated)').argParser(
        step(parseRename),
      ),
    )
    .option(
      '--transform <file>',
      'TypeScript file whose default export takes a letter and answers with it changed, or null to leave it out',
    );
}

/** The repair that the flags mean, its transform compiled and tried out. Throws CliFailure. */
export async function repairOf({ set, rename, transform }: RepairFlags): Promise<Repair> {
  const source = transform === undefined ? null : await compileTransform(transform);
  return { steps: set ?? rename ?? [], transform: source };
}
