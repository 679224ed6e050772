// One real Postgres and one real nats-server for all integration tests of a run. Every suite makes its own databases and
// stream names in them, so suites may run side by side.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startNats, startPostgres } from '@holdfast/embedded';
import type {} from '@holdfast/embedded/testing'; // Declares what is provided below.

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  const password = randomBytes(16).toString('hex');
  const started = await Promise.allSettled([
    startPostgres({ dataDir: join(folder, 'postgres'), password, durable: false }),
    startNats({ storeDir: join(folder, 'nats'), user: 'holdfast', password }),
  ]);
  const [postgres, nats] = started;

  let stopping: Promise<void> | undefined;
  const stop = () =>
    (stopping ??= (async () => {
      await Promise.allSettled(
        started.map((server) => (server.status === 'fulfilled' ? server.value.stop() : undefined)),
      );
      await rm(folder, { recursive: true, force: true });
    })());
  // vitest ends at once on a signal that nobody hears; with a listener it is ours to end.
  const onSignal = (signal: NodeJS.Signals) => void stop().then(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);

  if (postgres.status === 'rejected' || nats.status === 'rejected') {
    await stop();
    throw postgres.status === 'rejected' ? postgres.reason : (nats as PromiseRejectedResult).reason;
  }
  project.provide('postgresAdminUrl', postgres.value.url);
  project.provide('postgresPid', postgres.value.pid);
  project.provide('natsUrl', nats.value.servers);
  project.provide('natsPid', nats.value.pid);
  project.provide('natsUser', 'holdfast');
  project.provide('natsPassword', password);
  return async () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await stop();
  };
}
