#!/usr/bin/env node
// The `weir` command: Node 20 cannot run TypeScript by itself, so this door registers tsx and opens cli/main.ts.
import { register } from 'tsx/esm/api';

register();
await import('./main.ts');
