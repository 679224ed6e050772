export { memoryRootKeys } from './memory-root-keys.ts';
export { type SoftHsm, startSoftHsm } from './soft-hsm.ts';
