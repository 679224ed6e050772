import { serveTlsFront, type TlsFront } from '@holdfast/nbd';
import { type HostParams, locateReply } from '../host-protocol.ts';
import type { Peer } from '../ipc.ts';
import { CertificateFiles } from './certificate-files.ts';

/** Takes guests of other hosts; which volume is whose, the service knows. @throws Error when a file can't be used */
export const openTlsFront = (peer: Peer, { host, port, ...paths }: HostParams<'ServeTls'>): Promise<TlsFront> => {
  const warn = (message: string) => peer.notify('Log', { level: 'warn', message });
  const files = new CertificateFiles(paths, warn);
  return serveTlsFront({
    listen: { host, port },
    tls: () => files.current(),
    locate: async (name, identities) => locateReply.parse(await peer.call('Locate', { name, identities })).socketPath,
    onConnectionError: ({ message }) => warn(`a TLS connection ended: ${message}`),
  });
};
