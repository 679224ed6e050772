import type { ClientToken } from './types.ts';

/** The token already stands for an effect; compare `parametersHash` to tell a retry from a misuse. */
export class ClientTokenUsed extends Error {
  override readonly name = 'ClientTokenUsed';
  constructor(readonly stored: ClientToken) {
    super(`client token already used in ${stored.scope}`);
  }
}
