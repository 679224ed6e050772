import { type DirectBlockStore, openBlockStore, s3SettingsSchema, type StoreLayout } from '@holdfast/block-store';
import { STORE_SETTINGS_VARIABLE } from '../store-environment.ts';

/** For a guest, who waits for the store in any case: it is soon told in the log that it does. */
export const GUEST_REPEAT_MS = 3_000;

/** The blocks of this host, as its service was told where they are. */
export const hostBlockStore = (
  layout: StoreLayout,
  options: { onLoop?: boolean; repeatMs?: number } = {},
): DirectBlockStore => {
  const settings = process.env[STORE_SETTINGS_VARIABLE];
  return openBlockStore(layout, settings === undefined ? null : s3SettingsSchema.parse(JSON.parse(settings)), options);
};
