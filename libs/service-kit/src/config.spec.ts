import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { environmentFrom, readConfig } from './config.ts';

const own = {
  variables: z.object({ HOLDFAST_ROOT_KEY_FILE: z.string() }),
  settings: (values: { HOLDFAST_ROOT_KEY_FILE: string }) => ({ rootKeyFile: values.HOLDFAST_ROOT_KEY_FILE }),
};

describe('the environment of a service', () => {
  it('has defaults for what is the same nearly everywhere', () => {
    expect(environmentFrom({ HOME: '/root' })).toEqual({
      mode: 'production',
      nats: { servers: 'nats://127.0.0.1:4222' },
      logLevel: 'info',
    });
  });

  it('takes all that is set, and the service’s own', () => {
    const environment = environmentFrom(
      {
        HOLDFAST_MODE: 'development',
        HOLDFAST_DATABASE_URL: 'postgres://kms@db/kms',
        HOLDFAST_MIGRATION_DATABASE_URL: '',
        HOLDFAST_NATS_URL: 'nats://one:4222,nats://two:4222',
        HOLDFAST_NATS_USER: 'kms',
        HOLDFAST_NATS_PASSWORD: 'p',
        HOLDFAST_HTTP_HOST: '0.0.0.0',
        HOLDFAST_HTTP_PORT: '8080',
        HOLDFAST_ROOT_KEY_FILE: '/etc/root.key',
      },
      own,
    );
    expect(environment).toEqual({
      mode: 'development',
      databaseUrl: 'postgres://kms@db/kms',
      nats: { servers: 'nats://one:4222,nats://two:4222', user: 'kms', password: 'p' },
      logLevel: 'info',
      http: { host: '0.0.0.0', port: 8080 },
      settings: { rootKeyFile: '/etc/root.key' },
    });
  });

  it('refuses a variable nobody reads, naming it and those there are', () => {
    const variables = { HOLDFAST_DATABSE_URL: 'postgres://x', HOLDFAST_A: '1', OTHER: 'kept' };
    expect(() => environmentFrom(variables)).toThrow(
      /^unknown HOLDFAST_A, HOLDFAST_DATABSE_URL; known are .*HOLDFAST_DATABASE_URL/,
    );
    expect(() => environmentFrom({ HOLDFAST_ROOT_KEY_FILE: 'x' })).toThrow('unknown HOLDFAST_ROOT_KEY_FILE');
  });

  it('names every variable that is wrong, without its value', () => {
    const variables = { HOLDFAST_HTTP_PORT: '99999', HOLDFAST_DATABASE_URL: 'mysql://root:hunter2@db' };
    const message = (() => {
      try {
        environmentFrom(variables, own);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    })();
    expect(message).toMatch(/HOLDFAST_HTTP_PORT: .*HOLDFAST_ROOT_KEY_FILE: /);
    expect(message).toContain('HOLDFAST_DATABASE_URL: ');
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('\n');
  });

  it('has NATS credentials apart from the URL, and both or none', () => {
    expect(() => environmentFrom({ HOLDFAST_NATS_URL: 'nats://u:p@h' })).toThrow('HOLDFAST_NATS_USER');
    expect(() => environmentFrom({ HOLDFAST_NATS_USER: 'u' })).toThrow('go together');
  });

  it('has no inherited names', () => {
    expect(() => readConfig(z.object({}), { HOLDFAST_toString: '1' })).toThrow('unknown HOLDFAST_toString');
  });
});
