import type { AccountId } from '@holdfast/contracts';
import type { NamedKind } from './iam.state.ts';

export const iamArn = (accountId: AccountId, kind: NamedKind | 'policy', path: string, name: string): string =>
  `arn:aws:iam::${accountId}:${kind}${path}${name}`;
export const rootArn = (accountId: AccountId): string => `arn:aws:iam::${accountId}:root`;
export const assumedRoleArn = (accountId: AccountId, roleName: string, sessionName: string): string =>
  `arn:aws:sts::${accountId}:assumed-role/${roleName}/${sessionName}`;
export const federatedUserArn = (accountId: AccountId, name: string): string =>
  `arn:aws:sts::${accountId}:federated-user/${name}`;
