import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { createTestDatabase } from './testing.ts';

const query = async (url: string, sql: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};

describe('the servers of the integration tests', () => {
  it('give a database in which the service role gets only what the owner grants', async () => {
    const database = await createTestDatabase(inject('postgresAdminUrl'));
    try {
      await query(database.ownerUrl, 'CREATE TABLE t (n int)');
      await expect(query(database.serviceUrl, 'SELECT * FROM t')).rejects.toThrow('permission denied for table t');
      await expect(query(database.serviceUrl, 'CREATE TABLE u (n int)')).rejects.toThrow(
        'permission denied for schema',
      );
      await query(database.ownerUrl, `GRANT INSERT, SELECT ON t TO ${database.serviceRole}`);
      await query(database.serviceUrl, 'INSERT INTO t VALUES (1)');
      await expect(query(database.serviceUrl, 'DELETE FROM t')).rejects.toThrow('permission denied for table t');
      expect(await query(database.serviceUrl, 'SELECT n FROM t')).toEqual([{ n: 1 }]);
    } finally {
      await database.drop();
    }
    await expect(query(database.serviceUrl, 'SELECT 1')).rejects.toThrow();
  });

  it('give a nats-server with JetStream that asks for a password', async () => {
    const [servers, user, pass] = [inject('natsUrl'), inject('natsUser'), inject('natsPassword')];
    const connection = await connect({ servers, user, pass });
    try {
      const manager = await jetstreamManager(connection);
      expect((await manager.getAccountInfo()).storage).toBeGreaterThanOrEqual(0);
      expect(connection.info?.max_payload).toBe(8 * 1024 * 1024);
    } finally {
      await connection.close();
    }
    await expect(connect({ servers, user, pass: 'wrong', maxReconnectAttempts: 0 })).rejects.toThrow();
  });
});
