import { runMain } from '@holdfast/service-kit';
import { start } from './service.ts';

await runMain(start);
