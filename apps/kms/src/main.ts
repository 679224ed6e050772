import { runMain } from '@holdfast/service-kit';
import { kmsSettings } from './config.ts';
import { start } from './service.ts';

await runMain(start, kmsSettings);
