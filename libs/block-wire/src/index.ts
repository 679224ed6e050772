export { alignedMemory } from './aligned-memory.ts';
export { BlockBuffers } from './block-buffers.ts';
export { BlockWireClient, type BlockAnswer, type BlockClientOptions, type BlockSource } from './client.ts';
export { type AnswerHead, BLOCK_BYTES } from './frames.ts';
export { type Admission, type BlockHandler, type BlockServerOptions, BlockWireServer } from './server.ts';
