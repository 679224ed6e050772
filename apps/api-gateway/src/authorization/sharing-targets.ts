import type { Input } from './access-target.ts';
import { type Context, existing, type Targets, text, texts } from './ec2-target.ts';

interface Grantee {
  UserId?: string;
  Group?: string;
}

const granteesOf = (input: Input, member: string, change: 'Add' | 'Remove'): readonly Grantee[] =>
  ((input[member] ?? {}) as Partial<Record<'Add' | 'Remove', Grantee[]>>)[change] ?? [];

/** Whom a request adds or removes, in either of its two forms. Several are several values of one key. */
const changed = (input: Input, change: 'Add' | 'Remove', members: { permission: string; groups: string }): Context => {
  const structured = granteesOf(input, members.permission, change);
  const listed = text(input['OperationType'])?.toLowerCase() === change.toLowerCase();
  const users = listed ? texts(input['UserIds']) : [];
  const groups = listed ? texts(input[members.groups]) : [];
  return {
    [`ec2:${change}/userId`]: [...structured.flatMap(({ UserId }) => text(UserId) ?? []), ...users],
    [`ec2:${change}/group`]: [...structured.flatMap(({ Group }) => text(Group) ?? []), ...groups],
  };
};

const sharing =
  (action: string, kind: string, id: string, members: { permission: string; groups: string }): Targets =>
  async (input, caller, facts) => [
    await existing(action, caller, kind, text(input[id]) ?? '*', facts, {
      ...changed(input, 'Add', members),
      ...changed(input, 'Remove', members),
    }),
  ];

/** Calls that share snapshots and images: policies may say with whom (`ec2:Add/userId`, `ec2:Remove/group`, …). */
export const SHARING_TARGETS: Readonly<Record<string, Targets>> = {
  ModifySnapshotAttribute: sharing('ModifySnapshotAttribute', 'snapshot', 'SnapshotId', {
    permission: 'CreateVolumePermission',
    groups: 'GroupNames',
  }),
  ModifyImageAttribute: sharing('ModifyImageAttribute', 'image', 'ImageId', {
    permission: 'LaunchPermission',
    groups: 'UserGroups',
  }),
};
