/** What a volume is made of. */
export const SOURCES = ['empty', 'own plain', 'own encrypted', 'shared plain', 'shared encrypted'] as const;
export type Source = (typeof SOURCES)[number];
export type SnapshotSource = Exclude<Source, 'empty'>;

/** Not encrypted; under a key; refused with a code. `source`: under the snapshot's own KMS key. */
export type Outcome = 'plain' | 'default' | 'source' | 'K' | { readonly refused: string };

export interface Row<From extends Source = Source> {
  /** As the guide's table has it, or where it has none, what is asked for. */
  readonly name: string;
  readonly encryptionByDefault: boolean;
  readonly encrypted?: boolean;
  readonly withKey?: boolean;
  readonly source: From;
  readonly outcome: Outcome;
}

const DEPENDENCY: Outcome = { refused: 'InvalidParameterDependency' };
const COMBINATION: Outcome = { refused: 'InvalidParameterCombination' };

interface Numbered {
  readonly first: number;
  readonly encryptionByDefault: boolean;
  readonly encrypted?: boolean;
  readonly withKey?: boolean;
}

/** Five rows of the guide: the same request of each source. */
const five = (request: Numbered, outcomes: readonly Outcome[]): Row[] =>
  outcomes.map((outcome, at) => {
    const { first, ...asked } = request;
    return { name: `row ${String(first + at)}`, ...asked, source: SOURCES[at] ?? 'empty', outcome };
  });

/** One row of ours: the same request of several sources, with encryption by default off or on. */
const each = <From extends Source>(
  name: string,
  request: { readonly encrypted?: boolean; readonly withKey?: boolean },
  sources: readonly From[],
  outcome: Outcome,
  settings: readonly boolean[] = [false, true],
): Row<From>[] =>
  settings.flatMap((encryptionByDefault) =>
    sources.map((source) => ({ name, encryptionByDefault, ...request, source, outcome })),
  );

const UNENCRYPTED = ['empty', 'own plain', 'shared plain'] as const;
const OFF = { encryptionByDefault: false };
const ON = { encryptionByDefault: true };

/** Facts of CreateVolume, rows 1 to 35: the guide's thirty, and what EC2 does where the guide is silent. */
export const VOLUME_ROWS: readonly Row[] = [
  ...five({ first: 1, ...OFF }, ['plain', 'plain', 'source', 'plain', 'default']),
  ...five({ first: 6, ...OFF, encrypted: true }, ['default', 'default', 'source', 'default', 'default']),
  ...five({ first: 11, ...ON }, ['default', 'default', 'source', 'default', 'default']),
  ...five({ first: 16, ...ON, encrypted: true }, ['default', 'default', 'source', 'default', 'default']),
  ...five({ first: 21, ...OFF, encrypted: true, withKey: true }, ['K', 'K', 'K', 'K', 'K']),
  ...five({ first: 26, ...ON, encrypted: true, withKey: true }, ['K', 'K', 'K', 'K', 'K']),
  ...each('row 31', { withKey: true }, SOURCES, DEPENDENCY),
  ...each('row 32', { encrypted: false, withKey: true }, SOURCES, DEPENDENCY),
  ...each('row 33', { encrypted: false }, UNENCRYPTED, 'plain', [false]),
  ...each('row 34', { encrypted: false }, ['own encrypted', 'shared encrypted'], COMBINATION),
  ...each('row 35', { encrypted: false }, UNENCRYPTED, 'default', [true]),
];

const PLAIN = ['own plain', 'shared plain'] as const;
const ENCRYPTED = ['own encrypted', 'shared encrypted'] as const;
const ALL = [...PLAIN, ...ENCRYPTED] as const;

/** Of CopySnapshot: a copy is never under its source's key unless that is asked for, and `false` asks for nothing. */
export const COPY_ROWS: readonly Row<SnapshotSource>[] = [
  ...each('nothing said', {}, PLAIN, 'plain', [false]),
  ...each('Encrypted', { encrypted: true }, PLAIN, 'default', [false]),
  ...each('Encrypted under K', { encrypted: true, withKey: true }, PLAIN, 'K', [false]),
  ...each('K alone', { withKey: true }, PLAIN, 'K', [false]),
  ...each('not Encrypted', { encrypted: false }, PLAIN, 'plain', [false]),
  ...each('nothing said', {}, ENCRYPTED, 'default', [false]),
  ...each('Encrypted', { encrypted: true }, ENCRYPTED, 'default', [false]),
  ...each('Encrypted under K', { encrypted: true, withKey: true }, ENCRYPTED, 'K', [false]),
  ...each('K alone', { withKey: true }, ENCRYPTED, 'K', [false]),
  ...each('not Encrypted', { encrypted: false }, ENCRYPTED, 'default', [false]),
  ...each('nothing said', {}, ALL, 'default', [true]),
  ...each('Encrypted', { encrypted: true }, ALL, 'default', [true]),
  ...each('Encrypted under K', { encrypted: true, withKey: true }, ALL, 'K', [true]),
  ...each('K alone', { withKey: true }, ALL, 'K', [true]),
  ...each('not Encrypted', { encrypted: false }, ALL, 'default', [true]),
];
