import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  accountId as parseAccountId,
  AwsError,
  region as parseRegion,
  type RequestContext,
  snapshotId as parseSnapshotId,
} from '@holdfast/contracts';
import { connectBus, type Requests, ServiceUnavailable } from '@holdfast/messaging';
import { UserError } from '../errors.ts';
import type { NatsAccess } from '../nats.ts';

const ANSWER_TIMEOUT_MS = 30_000;

export interface ExportOptions {
  readonly account: string;
  readonly region: string;
}

/** The account's root user: the key policy, and its grants, must let it use the snapshot's key. */
const rootOf = ({ account, region }: ExportOptions): RequestContext => {
  const accountId = parse('--account', account, parseAccountId);
  return {
    requestId: randomUUID(),
    accountId,
    region: parse('--region', region, parseRegion),
    principal: { type: 'Root', arn: `arn:aws:iam::${accountId}:root`, accountId, principalId: accountId },
    sourceIp: '127.0.0.1',
    userAgent: 'holdfast export',
    deadlineMs: Date.now() + ANSWER_TIMEOUT_MS,
  };
};

const parse = <T>(what: string, text: string, parser: (text: string) => T): T => {
  try {
    return parser(text);
  } catch {
    throw new UserError(`${what} ${text} makes no sense`);
  }
};

/** @throws UserError with the service's own reason */
const asUserError = (error: unknown): never => {
  if (error instanceof AwsError) throw new UserError(error.message === '' ? error.code : error.message);
  if (error instanceof ServiceUnavailable) throw new UserError('no snapshots service or no data plane runs');
  throw error;
};

/**
 * Serves a snapshot as a read-only NBD export until `signal`, as long as it is there.
 * @throws UserError when it can't be served, or ends.
 */
export const exportSnapshot = async (
  nats: NatsAccess,
  snapshot: string,
  options: ExportOptions,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<void> => {
  const context = rootOf(options);
  const snapshotId = parse('snapshot', snapshot, parseSnapshotId);
  const bus = await connectBus({ nats, name: 'holdfast export' });
  try {
    await serve(bus, snapshotId, context, signal, print).catch(asUserError);
  } finally {
    await bus.close();
  }
};

const serve = async (
  services: Requests,
  snapshotId: ReturnType<typeof parseSnapshotId>,
  context: RequestContext,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<void> => {
  const { accountId, region, principal, requestId } = context;
  const now = () => ({ ...context, deadlineMs: Date.now() + ANSWER_TIMEOUT_MS });
  const record = await services.call('snapshots', 'GetSnapshot', { snapshotId }, context);
  if (record === null) throw new UserError(`account ${accountId} has no snapshot ${snapshotId} in ${region}`);
  if (record.state !== 'completed') throw new UserError(`${snapshotId} is ${record.state}`);
  const dataKey = record.dataKey === null ? undefined : { ...record.dataKey, principal, accountId, region, requestId };
  const opened = await services.call('data-plane', 'OpenSnapshotExport', { snapshotId, dataKey }, now());
  const { exportId, socketPath, leaseMs } = opened;
  print(`nbd+unix:///?socket=${socketPath}`);
  try {
    while (!signal.aborted) {
      await sleep(leaseMs / 4, undefined, { signal }).catch(() => undefined);
      const { open } = await services.call('data-plane', 'KeepSnapshotExport', { exportId }, now());
      if (!open) throw new UserError(`the export of ${snapshotId} has ended`);
    }
  } finally {
    await services.call('data-plane', 'CloseSnapshotExport', { exportId }, now());
  }
};
