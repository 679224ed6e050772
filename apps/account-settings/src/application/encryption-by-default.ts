import type { RequestContext } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { SettingsStreams } from './ports.ts';

/** Get-, Enable- and DisableEbsEncryptionByDefault: one flag for an account in a Region. Resources that exist keep what they are. */
export class EncryptionByDefault {
  constructor(
    private readonly settings: SettingsStreams,
    private readonly clock: Clock,
  ) {}

  async get(context: RequestContext): Promise<boolean> {
    return (await this.settings.read(context)).encryptionByDefault;
  }

  async enable(context: RequestContext): Promise<true> {
    await this.settings.handle(context, { type: 'EnableEncryptionByDefault', at: this.clock.instant() });
    return true;
  }

  async disable(context: RequestContext): Promise<false> {
    await this.settings.handle(context, { type: 'DisableEncryptionByDefault', at: this.clock.instant() });
    return false;
  }
}
