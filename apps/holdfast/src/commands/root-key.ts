import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { accountId, AwsError, region, type RequestContext } from '@holdfast/contracts';
import { connectBus, type Requests, ServiceUnavailable } from '@holdfast/messaging';
import type { RootKeyStatus, Rotation, VersionStatus } from '@holdfast/root-keys';
import { pkcs11Provider, RootKeyError } from '@holdfast/root-keys/pkcs11';
import type { Config } from '../config.ts';
import { UserError } from '../errors.ts';
import { type NatsAccess, parseNatsUrl } from '../nats.ts';
import { readStackFile } from '../stack-file.ts';

type Print = (text: string) => void;

/** Services that have a root key of their own. */
export const ROOT_KEY_SERVICES = ['kms', 'identity'] as const;
export type RootKeyOwner = (typeof ROOT_KEY_SERVICES)[number];

const ANSWER_TIMEOUT_MS = 30_000;
const POLL_MS = 500;
/** Of a version's id, as shown; any beginning of four digits or more is understood. */
const SHOWN_DIGITS = 16;

/** @throws UserError */
export const parseOwner = (text: string): RootKeyOwner => {
  const owner = ROOT_KEY_SERVICES.find((name) => name === text);
  if (owner === undefined) throw new UserError(`${text} has no root key: give ${ROOT_KEY_SERVICES.join(' or ')}`);
  return owner;
};

const operator = (): RequestContext => ({
  requestId: randomUUID(),
  accountId: accountId('000000000000'),
  region: region('us-east-1'),
  principal: {
    type: 'AWSService',
    arn: 'holdfast root-key',
    accountId: accountId('000000000000'),
    principalId: 'holdfast root-key',
  },
  sourceIp: '127.0.0.1',
  userAgent: 'holdfast root-key',
  deadlineMs: Date.now() + ANSWER_TIMEOUT_MS,
});

/** Where the services are that NATS_URL leads to, else those of the running stack. @throws UserError when there are none */
export const natsOf = (natsUrl: string | undefined, home: string): NatsAccess =>
  natsUrl === undefined ? readStackFile(home).nats : parseNatsUrl(natsUrl);

/** Opens a connection to the services for as long as `work` takes. */
export const withServices = async <T>(nats: NatsAccess, work: (services: Requests) => Promise<T>): Promise<T> => {
  const bus = await connectBus({ nats, name: 'holdfast root-key' });
  try {
    return await work(bus);
  } finally {
    await bus.close();
  }
};

/** @throws UserError with the service's own reason */
const ask = async <T>(services: Requests, owner: RootKeyOwner, action: string, input: object = {}): Promise<T> => {
  try {
    return await services.request<T>(owner, action, input, operator());
  } catch (error) {
    if (error instanceof AwsError) throw new UserError(`${owner}: ${error.message}`);
    if (error instanceof ServiceUnavailable) throw new UserError(`${owner} does not run`);
    throw error;
  }
};

const total = ({ blobs }: VersionStatus): number => Object.values(blobs).reduce((sum, n) => sum + n, 0);

const versionLine = (version: VersionStatus): string => {
  const { versionId, state, location, blobs } = version;
  const counts = Object.entries(blobs).map(([store, n]) => `${String(n)} in ${store}`);
  const where = location ?? (state === 'retired' ? 'removed' : 'NOT THERE');
  const what = counts.length === 0 ? 'nothing' : counts.join(', ');
  return `  ${versionId.slice(0, SHOWN_DIGITS).padEnd(SHOWN_DIGITS)}  ${state.padEnd(8)}  ${what.padEnd(44)}  ${where}`;
};

const conclusion = ({ service, currentVersion, versions, blobsUnderOthers }: RootKeyStatus): string => {
  if (blobsUnderOthers > 0) return `  ${String(blobsUnderOthers)} still to be wrapped by the current version`;
  const current = versions.find(({ versionId }) => versionId === currentVersion);
  const all = String(current === undefined ? 0 : total(current));
  return `  all ${all} keys that ${service} keeps wrapped are under the current version`;
};

/** Prints, for each service, which version wraps how much of what. @returns whether nothing is left under an earlier one */
export const rootKeyStatus = async (
  services: Requests,
  owners: readonly RootKeyOwner[],
  json: boolean,
  print: Print,
): Promise<boolean> => {
  const all: RootKeyStatus[] = [];
  for (const owner of owners) all.push(await ask<RootKeyStatus>(services, owner, 'GetRootKeyStatus'));
  if (json) print(JSON.stringify(all, null, 2));
  else {
    for (const status of all) {
      print(`${status.service}: ${status.provider}, ${status.origin}`);
      for (const version of status.versions) print(versionLine(version));
      print(conclusion(status));
    }
  }
  return all.every(({ blobsUnderOthers }) => blobsUnderOthers === 0);
};

/**
 * Makes another version current in each service, and waits until all is wrapped by it. May be interrupted: the services go on,
 * and another call waits for what is under way.
 */
export const rotateRootKey = async (
  services: Requests,
  owners: readonly RootKeyOwner[],
  { anew, wait }: { anew: boolean; wait: boolean },
  print: Print,
): Promise<void> => {
  for (const owner of owners) {
    const { outcome, versionId } = await ask<Rotation>(services, owner, 'RotateRootKey', { anew });
    const short = versionId.slice(0, SHOWN_DIGITS);
    print(
      outcome === 'begun'
        ? `${owner}: ${short} is the current version`
        : `${owner}: an earlier rotation, to ${short}, has not ended and goes on; nothing new was begun`,
    );
    let shown = -1;
    for (let left = Infinity; wait && left > 0;) {
      left = (await ask<RootKeyStatus>(services, owner, 'GetRootKeyStatus')).blobsUnderOthers;
      if (left !== shown)
        print(left === 0 ? `${owner}: all is under it` : `${owner}: ${String(left)} still to be wrapped by it`);
      shown = left;
      if (left > 0) await sleep(POLL_MS);
    }
  }
};

/** Removes a version that nothing is under. @returns whether that is all: false when it has to be removed elsewhere, too */
export const retireRootKey = async (
  services: Requests,
  owner: RootKeyOwner,
  versionId: string,
  print: Print,
): Promise<boolean> => {
  const prefix = versionId.toLowerCase();
  const retired = await ask<{ versionId: string; leftToDo: string | null }>(services, owner, 'RetireRootKey', {
    versionId: prefix,
  });
  const short = retired.versionId.slice(0, SHOWN_DIGITS);
  print(
    retired.leftToDo === null
      ? `${owner}: ${short} is gone for good`
      : `${owner}: ${short} is retired; ${retired.leftToDo}`,
  );
  return retired.leftToDo === null;
};

/** Makes a service's first key in the token that the environment names. @throws UserError when it has one */
export const createRootKey = async (
  { pkcs11 }: Pick<Config, 'pkcs11'>,
  owner: RootKeyOwner,
  print: Print,
): Promise<void> => {
  if (pkcs11 === undefined) {
    throw new UserError(
      'keys are made by hand in PKCS#11 tokens only: set HOLDFAST_PKCS11_MODULE, HOLDFAST_PKCS11_TOKEN and HOLDFAST_PKCS11_PIN_FILE',
    );
  }
  try {
    const provider = pkcs11Provider(pkcs11, owner);
    try {
      const [present] = await provider.versions();
      if (present !== undefined) {
        throw new UserError(
          `${provider.origin} has ${present.location} already: "holdfast root-key rotate" makes another`,
        );
      }
      const { location, versionId } = await provider.create();
      print(`${owner}: made key ${location} (id ${versionId}) in ${provider.origin}`);
    } finally {
      await provider.close();
    }
  } catch (error) {
    throw error instanceof RootKeyError ? new UserError(error.message) : error;
  }
};
