import type { KeyArn, RequestContext } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { KmsKeys, SettingsStreams } from './ports.ts';

/** What AWS answers while the default key was never changed: the alias, not an ARN. */
const AWS_MANAGED_KEY_ALIAS = 'alias/aws/ebs';

/** Get-, Modify- and ResetEbsDefaultKmsKeyId. */
export class DefaultKmsKey {
  readonly initial = AWS_MANAGED_KEY_ALIAS;

  constructor(
    private readonly settings: SettingsStreams,
    private readonly keys: KmsKeys,
    private readonly clock: Clock,
  ) {}

  async get(context: RequestContext): Promise<string> {
    return (await this.settings.read(context)).defaultKmsKeyArn ?? AWS_MANAGED_KEY_ALIAS;
  }

  /** @param keyId key id, alias name, key ARN or alias ARN of a symmetric encryption key in this Region. */
  async modify(keyId: string, context: RequestContext): Promise<KeyArn> {
    const keyArn = await this.keys.usableKey(keyId, context);
    await this.settings.handle(context, { type: 'ChangeDefaultKmsKey', keyArn, at: this.clock.instant() });
    return keyArn;
  }

  /** @returns the ARN of the AWS managed key, which is made when the account has none yet. */
  async reset(context: RequestContext): Promise<KeyArn> {
    const keyArn = await this.keys.usableKey(AWS_MANAGED_KEY_ALIAS, context);
    await this.settings.handle(context, { type: 'ResetDefaultKmsKey', at: this.clock.instant() });
    return keyArn;
  }
}
