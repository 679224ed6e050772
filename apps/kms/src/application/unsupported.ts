import { refuse } from '../domain/errors.ts';
import type { Action } from './action.ts';

/** Operations of AWS's API that are not done here. They are refused by name, so that no caller takes one for done. */
export const UNSUPPORTED_OPERATIONS = [
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'Decapsulate',
  'DeleteCustomKeyStore',
  'DescribeCustomKeyStores',
  'DisconnectCustomKeyStore',
  'Encapsulate',
  'UpdateCustomKeyStore',
] as const;

export const unsupported =
  (operation: string): Action =>
  () =>
    Promise.resolve().then(() => refuse('NotSupported', { message: `${operation} is not supported.` }));
