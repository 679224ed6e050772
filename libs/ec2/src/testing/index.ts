export { type FakeGrant, FakeKms, type KmsCall } from './fake-kms.ts';
