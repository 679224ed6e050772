import { randomUUID } from 'node:crypto';
import { AwsError, type RequestContext } from '@holdfast/contracts';

/** A call as it reached KMS. */
export interface KmsCall {
  readonly action: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** ARN of the principal, and on whose behalf it asked. */
  readonly principal: string;
  readonly viaService: string | undefined;
  readonly region: string;
}

export interface FakeGrant {
  readonly grantId: string;
  readonly keyArn: string;
  readonly input: Readonly<Record<string, unknown>>;
}

interface Wrapped {
  keyArn: string;
  context: Record<string, string>;
  key: string;
}

const wrap = (wrapped: Wrapped) => Buffer.from(JSON.stringify(wrapped)).toString('base64');
const unwrap = (blob: string) => JSON.parse(Buffer.from(blob, 'base64').toString()) as Wrapped;
const refuse = (code: string, message: string): never => {
  throw new AwsError({ code, message });
};

/** KMS as EBS sees it, in memory: keys, aliases, grants, and data keys that say which key and context they are under. */
export class FakeKms {
  readonly calls: KmsCall[] = [];
  readonly grants = new Map<string, FakeGrant>();
  /** Called after an action took effect and before it is answered; what it throws is what the caller sees. */
  afterwards: (action: string) => void = () => undefined;
  private readonly states = new Map<string, 'Enabled' | 'Disabled'>();
  private readonly aliases = new Map<string, string>();

  key(alias?: string, region = 'eu-central-1'): string {
    const arn = `arn:aws:kms:${region}:111122223333:key/${randomUUID()}`;
    this.states.set(arn, 'Enabled');
    if (alias !== undefined) this.aliases.set(alias, arn);
    return arn;
  }

  disable(arn: string): void {
    this.states.set(arn, 'Disabled');
  }

  enable(arn: string): void {
    this.states.set(arn, 'Enabled');
  }

  /** The data key itself, by which tests tell that two wrapped keys are one. */
  dataKeyOf(encryptedDataKey: string): string {
    return unwrap(encryptedDataKey).key;
  }

  grantsOf(arn: string): FakeGrant[] {
    return [...this.grants.values()].filter(({ keyArn }) => keyArn === arn);
  }

  /** A wrapped data key as the data plane has it wrapped for another owner. */
  rewrapped(encryptedDataKey: string, context: Record<string, string>): string {
    return wrap({ ...unwrap(encryptedDataKey), context });
  }

  /** Names of the actions asked for since the last look. */
  take(): string[] {
    return this.calls.splice(0).map(({ action }) => action);
  }

  readonly handlers = Object.fromEntries(
    Object.entries({
      DescribeKey: ({ KeyId }: { KeyId: string }) => {
        const Arn = this.find(KeyId);
        const KeyState = this.states.get(Arn);
        return { KeyMetadata: { Arn, KeyState, KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' } };
      },
      GetKeyManager: ({ keyArn }: { keyArn: string }) => ({
        keyManager: this.aliases.get('alias/aws/ebs') === keyArn ? 'AWS' : 'CUSTOMER',
      }),
      GenerateDataKeyWithoutPlaintext: (input: { KeyId: string; EncryptionContext: Record<string, string> }) => {
        const keyArn = this.usable(input.KeyId);
        return { KeyId: keyArn, CiphertextBlob: wrap({ keyArn, context: input.EncryptionContext, key: randomUUID() }) };
      },
      ReEncrypt: (
        input: Record<string, string> & { DestinationEncryptionContext: never; SourceEncryptionContext: never },
      ) => {
        const source = unwrap(input['CiphertextBlob'] ?? '');
        this.usable(source.keyArn);
        if (JSON.stringify(source.context) !== JSON.stringify(input.SourceEncryptionContext))
          return refuse('InvalidCiphertextException', '');
        const keyArn = this.usable(input['DestinationKeyId'] ?? '');
        const blob = wrap({ keyArn, context: input.DestinationEncryptionContext, key: source.key });
        return { KeyId: keyArn, SourceKeyId: source.keyArn, CiphertextBlob: blob };
      },
      CreateGrant: (input: { KeyId: string; Name: string }) => {
        const keyArn = this.usable(input.KeyId);
        const existing = this.grantsOf(keyArn).find((grant) => grant.input['Name'] === input.Name);
        if (existing !== undefined) return { GrantId: existing.grantId };
        const grantId = randomUUID();
        this.grants.set(grantId, { grantId, keyArn, input });
        return { GrantId: grantId };
      },
      ListGrants: ({ KeyId }: { KeyId: string }) => ({
        Grants: this.grantsOf(this.find(KeyId)).map(({ grantId, input }) => ({
          GrantId: grantId,
          Name: input['Name'],
        })),
      }),
      RetireGrant: ({ GrantId }: { GrantId: string }) => {
        if (!this.grants.delete(GrantId)) return refuse('NotFoundException', `Grant ID ${GrantId} not found`);
        return {};
      },
    }).map(([action, handler]) => [action, this.recorded(action, handler as never)]),
  );

  private recorded(action: string, handler: (input: object) => object) {
    return async (input: Record<string, unknown>, context: RequestContext): Promise<object> => {
      const { principal, viaService, region } = context;
      this.calls.push({ action, input, principal: principal.arn, viaService, region });
      const output = handler(input);
      this.afterwards(action);
      return Promise.resolve(output);
    };
  }

  private find(keyId: string): string {
    const arn =
      this.aliases.get(keyId) ?? [...this.states.keys()].find((key) => key === keyId || key.endsWith(`/${keyId}`));
    return arn ?? refuse('NotFoundException', `Key '${keyId}' does not exist`);
  }

  private usable(keyId: string): string {
    const arn = this.find(keyId);
    return this.states.get(arn) === 'Enabled' ? arn : refuse('DisabledException', `${arn} is disabled.`);
  }
}
