// Makers that are kept from one lease to the next: a world is built once and its sessions go on, instead of 50 ms a lease.
import type { GeneratorSpec } from './generator-spec.ts';
import { createMessageMaker } from './produced-message.ts';
import type { MessageMaker } from './produced-message.ts';

/**
 * Finds the maker of a spec that was used last under its name, or builds one. Held weakly: what no lease uses is given up
 * with the next garbage collection, and every message is the same from any maker.
 */
export function keepMakers(): (spec: GeneratorSpec) => MessageMaker {
  const kept = new Map<string, { readonly spec: string; readonly maker: WeakRef<MessageMaker> }>();
  return (spec) => {
    const text = JSON.stringify(spec);
    const last = kept.get(spec.name);
    const known = last?.spec === text ? last.maker.deref() : undefined;
    const maker = known ?? createMessageMaker(spec);
    kept.set(spec.name, { spec: text, maker: new WeakRef(maker) });
    return maker;
  };
}
