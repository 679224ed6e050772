import fc from 'fast-check';
import { describe, it } from 'vitest';
import { MODEL_BYTES, VolumeModel } from './testing/volume-model.ts';

// Random lives of a volume against a model in memory; a failure prints the seed and the shortest life that shows it.
const offset = fc.nat({ max: MODEL_BYTES - 1 });
const length = fc.oneof(
  fc.integer({ min: 1, max: 10_000 }),
  fc.constantFrom(512, 4096, 524_288, 1_048_576),
  fc.integer({ min: 1, max: 1_200_000 }),
);
const aligned = offset.map((at) => at - (at % 524_288));
const range = fc
  .tuple(fc.oneof(offset, aligned), length)
  .map(([at, bytes]) => ({ at, bytes: Math.min(bytes, MODEL_BYTES - at) }));
const during = fc.constantFrom('freeze', 'work', 'nothing');
const turns = fc.nat({ max: 12 });
const pick = fc.nat();

const operation = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('write'), range }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('zero'), range, mayTrim: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read'), range }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('flush') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('freeze') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('freezeWhileWriting'), range }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('work'), steps: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('saveClean') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore'), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove'), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill'), during, turns }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cutPower'), during, turns }) },
) as fc.Arbitrary<Operation>;

type Range = { at: number; bytes: number };
type During = 'freeze' | 'work' | 'nothing';
type Operation =
  | { do: 'write' | 'read' | 'freezeWhileWriting'; range: Range }
  | { do: 'zero'; range: Range; mayTrim: boolean }
  | { do: 'flush' | 'freeze' | 'saveClean' }
  | { do: 'work'; steps: number }
  | { do: 'restore' | 'remove'; pick: number }
  | { do: 'kill' | 'cutPower'; during: During; turns: number };

const run = async (model: VolumeModel, operation: Operation): Promise<void> => {
  switch (operation.do) {
    case 'write':
    case 'read':
    case 'freezeWhileWriting':
      return model[operation.do](operation.range.at, operation.range.bytes);
    case 'zero':
      return model.zero(operation.range.at, operation.range.bytes, operation.mayTrim);
    case 'work':
      return model.work(operation.steps);
    case 'kill':
    case 'cutPower':
      return model[operation.do](operation.during, operation.turns);
    case 'restore':
    case 'remove': {
      const { completed } = model;
      const id = completed[operation.pick % Math.max(1, completed.length)];
      return id === undefined ? undefined : model[operation.do](id);
    }
    default:
      return model[operation.do]();
  }
};

/** Lives that once ended badly. */
const FOUND: Operation[][] = [
  // After a loss of power two freezes waited for one block, and only one of them got it.
  [
    { do: 'zero', range: { at: 0, bytes: 512 }, mayTrim: false },
    { do: 'cutPower', during: 'freeze', turns: 1 },
    { do: 'freeze' },
    { do: 'write', range: { at: 0, bytes: 512 } },
  ],
  // A freeze did not make durable which blocks of a restored volume had come already.
  [
    { do: 'write', range: { at: 0, bytes: 2 } },
    { do: 'freeze' },
    { do: 'work', steps: 2 },
    { do: 'restore', pick: 0 },
    { do: 'zero', range: { at: 0, bytes: 2 }, mayTrim: false },
    { do: 'freeze' },
    { do: 'cutPower', during: 'nothing', turns: 0 },
    { do: 'write', range: { at: 0, bytes: 1 } },
  ],
];

describe('a volume, whatever happens to it', () => {
  it.each([true, false])('keeps what it promised (encrypted: %s)', { timeout: 300_000 }, async (encrypted) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(operation, { minLength: 5, maxLength: 40 }), async (seed, operations) => {
        const model = new VolumeModel(seed, encrypted);
        try {
          for (const next of operations) await run(model, next);
          await model.read(0, MODEL_BYTES);
          await model.finish();
        } finally {
          await model.close();
        }
      }),
      {
        numRuns: 40,
        examples: FOUND.flatMap((life) => [0, 1, 2, 3].map((seed): [number, Operation[]] => [seed, life])),
      },
    );
  });
});
