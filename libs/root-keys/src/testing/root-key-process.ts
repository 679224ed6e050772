import type { Sql } from '@holdfast/event-store';
import type { Database } from '@holdfast/event-store/postgres';
import { silentLogger } from '@holdfast/messaging';
import { Rewrapper } from '../rewrapper.ts';
import { HELD_CURRENT, RootKeys } from '../root-keys.ts';
import { ServiceSecrets } from '../service-secrets.ts';
import type { RootKeyProvider } from '../types.ts';
import type { WrappedStore } from '../wrapped-store.ts';

/** A table of wrapped things, as a service has one. */
export const THINGS: WrappedStore = { table: 'things', key: ['name', 'part'], versionColumn: 'root_key_id' };

/** As far as a process gets: at the given step it is dead, and does nothing any more. */
export class Mortality {
  steps = 0;
  constructor(readonly diesAt: number = Infinity) {}

  step(): void {
    if (++this.steps >= this.diesAt) throw new Error('killed');
  }

  /** Dies before the work has happened, or after it has. */
  async around<T>(work: () => Promise<T>): Promise<T> {
    this.step();
    const result = await work();
    this.step();
    return result;
  }
}

const mortalDatabase = (database: Database, life: Mortality): Database => {
  const mortal = (sql: Sql): Sql => ({ query: (text, values) => life.around(() => sql.query(text, values)) });
  return {
    ...mortal(database),
    options: database.options,
    transaction: (work) => life.around(() => database.transaction((sql) => work(mortal(sql)))),
    ping: () => database.ping(),
    close: () => database.close(),
  };
};

const mortalProvider = (provider: RootKeyProvider, life: Mortality): RootKeyProvider => ({
  kind: provider.kind,
  origin: provider.origin,
  createFirst: provider.createFirst,
  versions: () => provider.versions(),
  create: () => life.around(() => provider.create()),
  destroy: (versionId) => life.around(() => provider.destroy(versionId)),
  wrap: (versionId, plaintext, data) => life.around(() => provider.wrap(versionId, plaintext, data)),
  unwrap: (wrapped, data) => life.around(() => provider.unwrap(wrapped, data)),
  close: () => provider.close(),
});

/** What a process of a service has of its root key, over a table of things. */
export class RootKeyProcess {
  private constructor(
    readonly rootKeys: RootKeys,
    readonly secrets: ServiceSecrets,
    readonly rewrapper: Rewrapper,
    private readonly database: Database,
  ) {}

  static async start(database: Database, provider: RootKeyProvider, life = new Mortality()): Promise<RootKeyProcess> {
    const own = mortalDatabase(database, life);
    let secrets: ServiceSecrets | undefined;
    const options = { provider: mortalProvider(provider, life), database: own, service: 'kms', stores: [THINGS] };
    const rootKeys = await RootKeys.open(options, async (opened, sql) => {
      secrets = await ServiceSecrets.open(opened, sql, ['one', 'two']);
    });
    if (secrets === undefined) throw new Error('no secrets');
    return new RootKeyProcess(rootKeys, secrets, new Rewrapper(rootKeys, silentLogger, 3), own);
  }

  store(name: string, secret: string, part = 'a'): Promise<void> {
    return this.rootKeys.storing(THINGS, [name, part], Buffer.from(secret), async (versionId, wrapped) => {
      const stored = await this.database.query(
        `WITH ${HELD_CURRENT} INSERT INTO things (name, part, root_key_id, wrapped) SELECT $2, $3, version_id, $4 FROM held
         ON CONFLICT (name, part) DO UPDATE SET root_key_id = excluded.root_key_id, wrapped = excluded.wrapped
         RETURNING true`,
        [versionId, name, part, wrapped],
      );
      return stored.length > 0;
    });
  }

  async read(name: string, part = 'a'): Promise<string | null> {
    const [row] = await this.database.query<{ wrapped: Buffer }>(
      'SELECT wrapped FROM things WHERE name = $1 AND part = $2',
      [name, part],
    );
    if (row === undefined) return null;
    return (await this.rootKeys.unwrap(THINGS, [name, part], row.wrapped)).toString();
  }
}
