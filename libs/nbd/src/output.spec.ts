import { expect, it } from 'vitest';
import { Output, SLAB_BYTES, SlabPool } from './output.ts';

const reply = (output: Output, text: string): void => {
  const at = output.open(text.length);
  output.bytes.write(text, at, 'latin1');
  output.commit(text.length);
};
const textOf = (output: Output): string[] => output.take().map(({ bytes }) => bytes.toString('latin1'));

it('joins the replies of a chunk', () => {
  const output = new Output(new SlabPool(1));
  reply(output, 'one ');
  reply(output, 'two');
  expect(textOf(output)).toEqual(['one two']);
});

it('sends what is late after what was ready before, and keeps its memory apart', () => {
  const output = new Output(new SlabPool(1));
  reply(output, 'early ');
  const at = output.open(4);
  const { bytes } = output;
  const region = output.detach(4);
  reply(output, 'other');
  bytes.write('late', at, 'latin1');
  expect(textOf(output)).toEqual(['early ', 'other']);
  output.send(region, [
    [0, 1],
    [2, 4],
  ]);
  expect(textOf(output)).toEqual(['l', 'te']);
});

it('uses the memory of released segments again, and no memory before', () => {
  const output = new Output(new SlabPool(2));
  reply(output, 'a');
  const [first] = output.take();
  reply(output, 'b');
  const [second] = output.take();
  expect(first?.bytes.toString()).toBe('a');
  first?.release();
  second?.release();
  expect(output.bytesInFlight).toBe(0);
  expect(output.open(1)).toBe(0);
});

it('does not keep the memory of one large reply', () => {
  const output = new Output(new SlabPool(2));
  output.open(10 * SLAB_BYTES);
  output.commit(10 * SLAB_BYTES);
  const [large] = output.take();
  expect(large?.bytes.length).toBe(10 * SLAB_BYTES);
  expect(output.bytes.length).toBe(SLAB_BYTES);
});
