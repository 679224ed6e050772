export { memoryRootKeys } from './memory-root-keys.ts';
