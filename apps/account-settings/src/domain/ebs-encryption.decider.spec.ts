import { instant, keyArn } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { ebsEncryptionDecider } from './ebs-encryption.decider.ts';
import type { EbsEncryptionEvent } from './ebs-encryption.events.ts';

const given = specification(ebsEncryptionDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const key = keyArn('arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab');
const enabled: EbsEncryptionEvent = { type: 'EncryptionByDefaultEnabled', at };
const disabled: EbsEncryptionEvent = { type: 'EncryptionByDefaultDisabled', at };
const changed: EbsEncryptionEvent = { type: 'DefaultKmsKeyChanged', keyArn: key, at };
const reset: EbsEncryptionEvent = { type: 'DefaultKmsKeyReset', at };

describe('encryption by default', () => {
  it('is off until enabled', () => {
    given().when({ type: 'EnableEncryptionByDefault', at }).then(enabled);
    given().when({ type: 'DisableEncryptionByDefault', at }).thenNothing();
  });
  it('is enabled once', () => {
    given(enabled).when({ type: 'EnableEncryptionByDefault', at }).thenNothing();
  });
  it('can be disabled and enabled again', () => {
    given(enabled).when({ type: 'DisableEncryptionByDefault', at }).then(disabled);
    given(enabled, disabled).when({ type: 'EnableEncryptionByDefault', at }).then(enabled);
  });
});

describe('the default KMS key', () => {
  it('changes to another key', () => {
    given().when({ type: 'ChangeDefaultKmsKey', keyArn: key, at }).then(changed);
  });
  it('is not changed to itself', () => {
    given(changed).when({ type: 'ChangeDefaultKmsKey', keyArn: key, at }).thenNothing();
  });
  it('is reset to the AWS managed key, once', () => {
    given(changed).when({ type: 'ResetDefaultKmsKey', at }).then(reset);
    given(changed, reset).when({ type: 'ResetDefaultKmsKey', at }).thenNothing();
  });
});
