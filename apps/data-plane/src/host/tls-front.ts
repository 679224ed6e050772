import { readFileSync } from 'node:fs';
import { serveTlsFront, type TlsFront } from '@holdfast/nbd';
import { type HostParams, locateReply } from '../host-protocol.ts';
import type { Peer } from '../ipc.ts';

/** Takes guests of other hosts; which volume is whose, the service knows. @throws Error when a file can't be used */
export const openTlsFront = (
  peer: Peer,
  { host, port, cert, key, clientCa }: HostParams<'ServeTls'>,
): Promise<TlsFront> =>
  serveTlsFront({
    listen: { host, port },
    tls: { cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(clientCa) },
    locate: async (name, identities) => locateReply.parse(await peer.call('Locate', { name, identities })).socketPath,
    onConnectionError: ({ message }) =>
      peer.notify('Log', { level: 'warn', message: `a TLS connection ended: ${message}` }),
  });
