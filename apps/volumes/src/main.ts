import { runMain } from '@holdfast/service-kit';
import { ownSettings } from './config.ts';
import { start } from './service.ts';

await runMain(start, ownSettings);
