import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, newKeyPairId, type RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  type RecordFilters,
  recordFilter,
  refuseParameters,
  type Tags,
  tagList,
  tagsOfSpecifications,
} from '@holdfast/ec2';
import { seal } from '@holdfast/sealing';
import type { Clock } from '@holdfast/service-kit';
import type { KeyType } from '../domain/key-pair.events.ts';
import type { KeyPairRow, KeyPairStreams, KeyPairTable } from './key-pair-ports.ts';
import { importedSshKey, newSshKey, type SshPublicKey } from './ssh-keys.ts';

/** EC2's quota for each Region. It is counted, not locked. */
const MAX_KEY_PAIRS = 5000;
const NAME = /^[\x20-\x7e]{1,255}$/;

const FILTERS: RecordFilters<KeyPairRow> = {
  fingerprint: ({ fingerprint }) => [fingerprint],
  'key-name': ({ name }) => [name],
  'key-pair-id': ({ keyPairId }) => [keyPairId],
  'tag-key': ({ tags }) => Object.keys(tags),
};

export const keyPairNotFound = (name: string) =>
  new AwsError({ code: 'InvalidKeyPair.NotFound', message: `The key pair '${name}' does not exist` });

const keyPairIdNotFound = (id: string) =>
  new AwsError({ code: 'InvalidKeyPair.NotFound', message: `The key pair ID '${id}' does not exist` });

const nameTaken = (name: string) =>
  new AwsError({ code: 'InvalidKeyPair.Duplicate', message: `The keypair '${name}' already exists.` });

interface Asked {
  name: string;
  tags: Tags;
}

/** What somebody would log in with to a guest. Only public keys stay: a private one goes to who asked for it, sealed. */
export class KeyPairs {
  constructor(
    private readonly streams: KeyPairStreams,
    private readonly table: KeyPairTable,
    private readonly clock: Clock,
  ) {}

  async create(input: Partial<ec2.CreateKeyPairRequest>, context: RequestContext): Promise<ec2.KeyPair> {
    const { KeyName, KeyType: type, KeyFormat, TagSpecifications, DryRun, ...rest } = input;
    refuseParameters({ ...rest, KeyFormat: KeyFormat === 'pem' ? undefined : KeyFormat });
    const keyType = checkedType(type);
    const asked = await this.asked({ KeyName, TagSpecifications, DryRun }, context);
    const { recipientPublicKey, requestId } = context;
    if (recipientPublicKey === undefined) throw new Error('CreateKeyPair has nobody to seal its answer to');
    const { privateKeyPem, ...key } = await newSshKey(keyType);
    const secret = Buffer.from(privateKeyPem, 'utf8');
    try {
      // Sealed before the key pair is there: a private key that nobody got is of no use.
      const KeyMaterial = await seal(recipientPublicKey, secret, `instances.CreateKeyPair.${requestId}`);
      return { ...(await this.keep('CreateKeyPair', asked, key, context)), KeyMaterial };
    } finally {
      secret.fill(0);
    }
  }

  async import(input: Partial<ec2.ImportKeyPairRequest>, context: RequestContext): Promise<ec2.ImportKeyPairResult> {
    const { KeyName, PublicKeyMaterial, TagSpecifications, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (PublicKeyMaterial === undefined || PublicKeyMaterial === '') throw missingParameter('PublicKeyMaterial');
    const key = importedSshKey(Buffer.from(PublicKeyMaterial, 'base64'));
    if (key === null)
      throw new AwsError({ code: 'InvalidKey.Format', message: 'Key is not in valid OpenSSH public key format' });
    const asked = await this.asked({ KeyName, TagSpecifications, DryRun }, context);
    return this.keep('ImportKeyPair', asked, key, context);
  }

  /** One that is not there is deleted, too. Instances keep its name. */
  async delete(input: ec2.DeleteKeyPairRequest, context: RequestContext): Promise<ec2.DeleteKeyPairResult> {
    const { KeyName, KeyPairId, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if ((KeyName ?? '') === '' && (KeyPairId ?? '') === '') throw missingParameter('KeyName');
    if (KeyName !== undefined && KeyPairId !== undefined)
      throw invalidParameterCombination("The parameter 'KeyName' may not be used in combination with 'KeyPairId'");
    const found = (await this.table.all(context)).find((row) => row.name === KeyName || row.keyPairId === KeyPairId);
    if (DryRun === true) throw dryRunOperation();
    if (found === undefined) return { Return: true };
    const { keyPairId } = found;
    await this.streams.handle({ type: 'DeleteKeyPair', keyPairId, at: this.clock.instant() }, callerOf(context));
    return { Return: true, KeyPairId: keyPairId };
  }

  async describe(input: ec2.DescribeKeyPairsRequest, context: RequestContext): Promise<ec2.DescribeKeyPairsResult> {
    const { KeyNames: names = [], KeyPairIds: ids = [], Filters, DryRun, IncludePublicKey, ...rest } = input;
    refuseParameters({ ...rest });
    if (DryRun === true) throw dryRunOperation();
    const matches = recordFilter(Filters, FILTERS, ({ tags }) => tags);
    const rows = await this.table.all(context);
    const unknownName = names.find((name) => !rows.some((row) => row.name === name));
    if (unknownName !== undefined) throw keyPairNotFound(unknownName);
    const unknownId = ids.find((id) => !rows.some((row) => row.keyPairId === id));
    if (unknownId !== undefined) throw keyPairIdNotFound(unknownId);
    const isNamed = ({ name, keyPairId }: KeyPairRow) =>
      (names.length === 0 && ids.length === 0) || names.includes(name) || ids.includes(keyPairId);
    return {
      KeyPairs: rows
        .filter((row) => isNamed(row) && matches(row))
        .map((row) => described(row, IncludePublicKey === true)),
    };
  }

  /** @throws AwsError InvalidKeyPair.NotFound for a launch with a key pair that is not there. */
  async checkNamed(name: string, context: RequestContext): Promise<void> {
    if ((await this.table.named(name, context)) === null) throw keyPairNotFound(name);
  }

  /** The checks of both ways to get one; the last thing before anything is made. */
  private async asked(
    { KeyName, TagSpecifications, DryRun }: Partial<ec2.ImportKeyPairRequest>,
    context: RequestContext,
  ): Promise<Asked> {
    if (KeyName === undefined || KeyName === '') throw missingParameter('KeyName');
    if (!NAME.test(KeyName)) throw invalidParameterValue(`Value (${KeyName}) for parameter keyName is invalid.`);
    const tags = tagsOfSpecifications(TagSpecifications, 'key-pair');
    const rows = await this.table.all(context);
    if (rows.some(({ name }) => name === KeyName)) throw nameTaken(KeyName);
    if (rows.length >= MAX_KEY_PAIRS)
      throw new AwsError({ code: 'ResourceLimitExceeded', message: 'You have reached your quota of key pairs.' });
    if (DryRun === true) throw dryRunOperation();
    return { name: KeyName, tags };
  }

  private async keep(
    type: 'CreateKeyPair' | 'ImportKeyPair',
    { name, tags }: Asked,
    { keyType, publicKey, fingerprint }: SshPublicKey,
    context: RequestContext,
  ): Promise<ec2.ImportKeyPairResult> {
    const { accountId, region } = context;
    const keyPairId = newKeyPairId();
    const key = { name, keyType, publicKey, fingerprint, tags: { ...tags } };
    const command = { type, keyPairId, accountId, region, ...key, at: this.clock.instant() };
    await this.streams.handle(command, callerOf(context)).catch((error: unknown) => {
      throw error instanceof DomainError && error.code === 'KeyPairNameTaken' ? nameTaken(name) : error;
    });
    return { KeyName: name, KeyPairId: keyPairId, KeyFingerprint: fingerprint, Tags: tagList(tags) };
  }
}

const checkedType = (text: string | undefined): KeyType => {
  if (text === undefined || text === '') return 'rsa';
  if (text === 'rsa' || text === 'ed25519') return text;
  throw invalidParameterValue(`Value (${text}) for parameter keyType is invalid.`);
};

const described = (row: KeyPairRow, withPublicKey: boolean): ec2.KeyPairInfo => ({
  KeyPairId: row.keyPairId,
  KeyName: row.name,
  KeyType: row.keyType,
  KeyFingerprint: row.fingerprint,
  CreateTime: row.createTime,
  Tags: tagList(row.tags),
  ...(withPublicKey ? { PublicKey: `${row.publicKey} ${row.name}` } : {}),
});
