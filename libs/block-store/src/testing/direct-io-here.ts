import { tmpdir } from 'node:os';
import { assertDirectIo } from '../direct-file.ts';

/** Whether files of tests can be opened past the page cache; says so when not. */
export const directIoHere = (): boolean => {
  try {
    assertDirectIo(tmpdir());
    return true;
  } catch (error) {
    process.stderr.write(`NOT RUN: volumes past the page cache: ${String(error)}\n`);
    return false;
  }
};
