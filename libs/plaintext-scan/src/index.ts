export { scanForPlaintext, type ScanResult } from './plaintext-scan.ts';
