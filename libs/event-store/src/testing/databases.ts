import { inject } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@holdfast/embedded/testing';
import type { Database } from '../postgres/index.ts';
import { openTestDatabase } from './effects.ts';

/** A database of its own, in the servers that the test run shares. */
export const newTestDatabase = async (): Promise<{ urls: TestDatabase; database: Database }> => {
  const urls = await createTestDatabase(inject('postgresAdminUrl'));
  return { urls, database: await openTestDatabase(urls) };
};
