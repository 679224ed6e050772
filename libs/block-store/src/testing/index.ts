export { blockStoreSuite, newBlock, type SuiteStore } from './block-store-suite.ts';
export { damageInSegment } from './damage-in-segment.ts';
export { seededRandom } from './faulty-block-device.ts';
export { FaultyObjects } from './faulty-objects.ts';
export { MemoryObjects } from './memory-objects.ts';
