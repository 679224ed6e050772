export { nodeCryptoEngine } from './node-crypto-engine.ts';
export { DATA_UNIT_BYTES, XTS_KEY_BYTES, type SectorCipher, type XtsEngine } from './sector-cipher.ts';
export { selectXtsEngine, type SelectedXtsEngine } from './select-engine.ts';
