import { parseKeys } from './raw-keys.ts';
import { RawKeyProvider } from './raw-provider.ts';
import { RootKeyError, type RootKeyVersion } from './types.ts';

/** Versions in an environment variable: each 32 bytes in base64, with commas between. They change with a restart. */
export class EnvironmentProvider extends RawKeyProvider {
  readonly kind = 'environment';
  private readonly held: readonly RootKeyVersion[];

  /** @param variable its name, for messages. @throws RootKeyError without a part of the value */
  constructor(variable: string, value: string, service: string) {
    super(variable, service);
    this.held = this.keys.replace(parseKeys(value, variable), variable);
  }

  async versions(): Promise<readonly RootKeyVersion[]> {
    return this.held;
  }

  async create(): Promise<RootKeyVersion> {
    throw new RootKeyError(
      `add a new key to ${this.origin} of every replica, restart them one by one, and rotate then`,
    );
  }

  async destroy(): Promise<void> {
    throw new RootKeyError(`nothing needs it any more: remove it from ${this.origin} of every replica`);
  }
}
