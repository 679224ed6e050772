import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { UserError } from './errors.ts';

export interface NatsAccess {
  readonly servers: string;
  readonly user?: string;
  readonly password?: string;
}

/** The client refuses credentials inside an address, so they are taken out of it. */
export const parseNatsUrl = (text: string): NatsAccess => {
  const addresses = text.split(',').map((part) => part.trim());
  try {
    const urls = addresses.map((address) => new URL(address.includes('://') ? address : `nats://${address}`));
    const [first] = urls;
    if (first === undefined || urls.some(({ host }) => host === '')) throw new Error('no host');
    const servers = urls.map((url) => `${url.protocol}//${url.host}`).join(',');
    if (first.username === '') return { servers };
    return { servers, user: decodeURIComponent(first.username), password: decodeURIComponent(first.password) };
  } catch {
    throw new UserError('NATS_URL is not an address like nats://user:password@host:4222');
  }
};

/** @throws UserError when the server cannot be reached, refuses us, or has no JetStream. */
export const checkNats = async ({ servers, user, password }: NatsAccess): Promise<void> => {
  try {
    const connection = await connect({
      servers: servers.split(','),
      user,
      pass: password,
      maxReconnectAttempts: 0,
      timeout: 5000,
    });
    try {
      await (await jetstreamManager(connection)).getAccountInfo();
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw new UserError(
      `NATS_URL: ${servers} cannot be used (${(error as Error).message}); JetStream must be enabled there`,
    );
  }
};
