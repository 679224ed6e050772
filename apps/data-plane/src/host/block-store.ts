import { type DirectBlockStore, openBlockStore, s3SettingsSchema, type StoreLayout } from '@holdfast/block-store';
import { STORE_SETTINGS_VARIABLE } from '../store-environment.ts';

/** The blocks of this host, as its service was told where they are. */
export const hostBlockStore = (layout: StoreLayout, options: { onLoop?: boolean } = {}): DirectBlockStore => {
  const settings = process.env[STORE_SETTINGS_VARIABLE];
  return openBlockStore(layout, settings === undefined ? null : s3SettingsSchema.parse(JSON.parse(settings)), options);
};
