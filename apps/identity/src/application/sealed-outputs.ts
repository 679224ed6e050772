import type { RequestContext } from '@holdfast/contracts';
import { seal } from '@holdfast/sealing';

/**
 * Seals a text of an answer to whoever may read it; info = `identity.<Action>.<requestId>`.
 * @throws Error without a receiver: a secret never crosses the bus in the clear.
 */
export const sealOutput = async (
  action: string,
  text: string,
  { requestId, recipientPublicKey }: RequestContext,
): Promise<string> => {
  if (recipientPublicKey === undefined) throw new Error(`${action} has nobody to seal its answer to`);
  const bytes = Buffer.from(text, 'utf8');
  try {
    return await seal(recipientPublicKey, bytes, `identity.${action}.${requestId}`);
  } finally {
    bytes.fill(0);
  }
};
