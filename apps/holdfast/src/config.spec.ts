import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

const devices = { volumeDevices: [], overwriteDevices: [] };

describe('the configuration', () => {
  it('has defaults for everything', () => {
    const defaults = {
      home: resolve('.holdfast'),
      port: 4566,
      logLevel: 'info',
      limits: {},
      devices,
      requests: 'local',
    };
    expect(readConfig({})).toEqual(defaults);
    expect(readConfig({ HOLDFAST_HOME: '', HOLDFAST_PORT: '' })).toEqual(defaults);
  });

  it('takes what the environment says', () => {
    const variables = { HOLDFAST_HOME: '/srv/x', HOLDFAST_PORT: '0', HOLDFAST_LOG_LEVEL: 'debug', PATH: '/bin' };
    expect(readConfig(variables)).toEqual({
      home: '/srv/x',
      port: 0,
      logLevel: 'debug',
      limits: {},
      devices,
      requests: 'local',
    });
  });

  it('refuses a variable that it does not know', () => {
    expect(() => readConfig({ HOLDFAST_PROT: '4567' })).toThrow(/unknown variable HOLDFAST_PROT: .*HOLDFAST_PORT/);
  });

  it.each(['x', '-1', '65536', '1e3', ' 80', '80.5'])('refuses the port %j', (port) => {
    expect(() => readConfig({ HOLDFAST_PORT: port })).toThrow(`HOLDFAST_PORT=${port} makes no sense`);
  });

  it('takes an object store for blocks, and refuses what is none', () => {
    expect(readConfig({ HOLDFAST_BLOCK_STORE: 's3://b-1/h' }).blockStore).toMatchObject({
      bucket: 'b-1',
      prefix: 'h/',
    });
    expect(() => readConfig({ HOLDFAST_BLOCK_STORE: 'ftp://x' })).toThrow('HOLDFAST_BLOCK_STORE makes no sense');
  });

  it('takes block devices for volumes', () => {
    const given = readConfig({
      HOLDFAST_VOLUME_DEVICES: '/dev/disk/by-id/a:1,/pool',
      HOLDFAST_VOLUME_DEVICES_OVERWRITE: '/dev/b',
    });
    expect(given.devices).toEqual({
      ...{ volumeDevices: ['/dev/disk/by-id/a:1', '/pool'], overwriteDevices: ['/dev/b'] },
    });
  });

  it('takes certificates for volumes over TLS, all of them or none', () => {
    const files = {
      HOLDFAST_NBD_TLS_LISTEN: '0.0.0.0:10809',
      HOLDFAST_NBD_TLS_CERT_FILE: '/c',
      HOLDFAST_NBD_TLS_KEY_FILE: '/k',
      HOLDFAST_NBD_TLS_CLIENT_CA_FILE: '/ca',
    };
    expect(readConfig(files).nbdTls).toEqual({ listen: '0.0.0.0:10809', cert: '/c', key: '/k', clientCa: '/ca' });
    expect(readConfig({}).nbdTls).toBeUndefined();
    expect(() => readConfig({ ...files, HOLDFAST_NBD_TLS_KEY_FILE: '' })).toThrow(
      'HOLDFAST_NBD_TLS_KEY_FILE is missing',
    );
  });

  it('refuses a log level that does not exist', () => {
    expect(() => readConfig({ HOLDFAST_LOG_LEVEL: 'loud' })).toThrow('one of trace, debug');
  });

  it('takes a token for the root keys, and refuses half of one, without its PIN in the message', () => {
    const token = { HOLDFAST_PKCS11_MODULE: '/lib/p11.so', HOLDFAST_PKCS11_TOKEN: 't' };
    expect(readConfig({ ...token, HOLDFAST_PKCS11_PIN_FILE: '/pin' }).pkcs11).toEqual({
      ...{ module: '/lib/p11.so', token: 't', pinFile: '/pin' },
    });
    expect(readConfig({}).pkcs11).toBeUndefined();
    expect(() => readConfig(token)).toThrow('either HOLDFAST_PKCS11_PIN_FILE or HOLDFAST_PKCS11_PIN');
    expect(() => readConfig({ HOLDFAST_PKCS11_PIN: '1234567' })).toThrow(/^(?!.*1234567).*HOLDFAST_PKCS11_MODULE and/);
  });
});
