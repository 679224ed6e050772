import { runMain } from '@holdfast/service-kit';
import { snapshotVariables } from './config.ts';
import { start } from './service.ts';

await runMain(start, snapshotVariables);
