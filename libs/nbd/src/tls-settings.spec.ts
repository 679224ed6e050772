import { expect, it } from 'vitest';
import { nbdTlsSettings } from './tls-settings.ts';

const whole = {
  HOLDFAST_NBD_TLS_LISTEN: '[::1]:10809',
  HOLDFAST_NBD_TLS_CERT_FILE: '/tls/cert.pem',
  HOLDFAST_NBD_TLS_KEY_FILE: '/tls/key.pem',
  HOLDFAST_NBD_TLS_CLIENT_CA_FILE: '/tls/ca.pem',
};

it('volumes are served over TLS where all files are given, and nowhere when none is', () => {
  const settings = { listen: '[::1]:10809', cert: '/tls/cert.pem', key: '/tls/key.pem', clientCa: '/tls/ca.pem' };
  expect(nbdTlsSettings(whole)).toEqual(settings);
  expect(nbdTlsSettings({ ...whole, HOLDFAST_NBD_TLS_CLIENT_CRL_FILE: '/tls/crl.pem' })).toEqual({
    ...settings,
    clientCrl: '/tls/crl.pem',
  });
  expect(nbdTlsSettings({})).toBeUndefined();
});

it.each(Object.keys(whole))('says that %s is missing', (name) => {
  expect(() => nbdTlsSettings({ ...whole, [name]: undefined })).toThrow(`${name} is missing`);
});

it('says which address makes no sense', () => {
  const port = { ...whole, HOLDFAST_NBD_TLS_LISTEN: '10809' };
  expect(() => nbdTlsSettings(port)).toThrow('HOLDFAST_NBD_TLS_LISTEN makes no sense: it must be <host>:<port>');
});
