#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../../../dist/holdfast/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('holdfast: not built yet: run "npm run build"\n');
  process.exitCode = 1;
}
