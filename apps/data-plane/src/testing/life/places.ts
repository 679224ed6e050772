import { BLOCK, GIB, UNIT } from './content.ts';
import type { Random } from './random.ts';

export interface Range {
  readonly offset: number;
  readonly length: number;
}

const BLOCKS_PER_GIB = GIB / BLOCK;

/** Where life goes on in a volume of so many GiB, so that all of it can be looked at often: its begin, its middle, each end it had. */
export const placesOf = (sizeGiB: number): Range[] => {
  const ends = Array.from({ length: sizeGiB }, (_, gib) => (gib + 1) * BLOCKS_PER_GIB);
  const blocks: [first: number, count: number][] = [
    [0, 5],
    [1_000, 3],
    ...ends.map((end): [number, number] => (end === sizeGiB * BLOCKS_PER_GIB ? [end - 2, 2] : [end - 2, 3])),
  ];
  return blocks.map(([first, count]) => ({ offset: first * BLOCK, length: count * BLOCK }));
};

/** Part of one place: sectors, units, whole blocks, across blocks. */
export const rangeIn = (places: readonly Range[], random: Random): Range => {
  const place = random.pick(places) ?? { offset: 0, length: BLOCK };
  const grain = random.pick([1, 512, UNIT, UNIT, UNIT, BLOCK]) ?? UNIT;
  const most = { 1: 10_000, 512: 64_512, [UNIT]: 40 * UNIT, [BLOCK]: 2 * BLOCK }[grain] ?? UNIT;
  const length = Math.ceil(random.int(1, most) / grain) * grain;
  const offset = place.offset + Math.floor((random.next() * (place.length - length)) / grain) * grain;
  return { offset, length };
};

/** Some that have no unit in common. */
export const rangesIn = (places: readonly Range[], count: number, random: Random): Range[] => {
  const chosen: Range[] = [];
  for (let tries = 0; tries < count; tries++) {
    const range = rangeIn(places, random);
    const [first, last] = unitsOf(range);
    if (chosen.map(unitsOf).every(([from, to]) => to < first || from > last)) chosen.push(range);
  }
  return chosen;
};

const unitsOf = ({ offset, length }: Range): [first: number, last: number] => [
  Math.floor(offset / UNIT),
  Math.floor((offset + length - 1) / UNIT),
];
