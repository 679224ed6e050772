export { blockStoreSuite, newBlock, type SuiteStore } from './block-store-suite.ts';
export { damageInSegment } from './damage-in-segment.ts';
export { MemoryObjects } from './memory-objects.ts';
