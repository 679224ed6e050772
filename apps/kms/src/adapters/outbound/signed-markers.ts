import type { Markers } from '../../application/ports.ts';
import { refuse } from '../../domain/errors.ts';
import { signText, verifyText } from './signed-text.ts';
import { createHash } from 'node:crypto';

const LIST_BYTES = 16;
const digestOf = (list: string): Buffer => createHash('sha256').update(list).digest().subarray(0, LIST_BYTES);

/** A page's marker names its list and the last item before it; nobody makes one up or carries it to another list. */
export class SignedMarkers implements Markers {
  constructor(private readonly keys: readonly Buffer[]) {}

  write(list: string, after: string): string {
    return signText(this.keys, Buffer.concat([digestOf(list), Buffer.from(after, 'utf8')]));
  }

  read(list: string, marker: string): string {
    const payload = verifyText(this.keys, marker);
    if (payload === null || !payload.subarray(0, LIST_BYTES).equals(digestOf(list))) return refuse('InvalidMarker', {});
    return payload.toString('utf8', LIST_BYTES);
  }
}
