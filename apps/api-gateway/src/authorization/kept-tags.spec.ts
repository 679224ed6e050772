import { expect, it } from 'vitest';
import { KeptTags } from './kept-tags.ts';

it('asks for the tags of a snapshot once in five seconds, and at once again where it could not be told', async () => {
  let nowMs = 0;
  let asked = 0;
  const kept = new KeptTags(() => nowMs);
  const tags = (name: string) => kept.of(name, () => Promise.resolve({ asked: String(++asked) }));
  expect(await Promise.all([tags('a'), tags('a'), tags('b')])).toEqual([
    { asked: '1' },
    { asked: '1' },
    { asked: '2' },
  ]);
  nowMs = 4_999;
  expect(await tags('a')).toEqual({ asked: '1' });
  nowMs = 5_000;
  expect(await tags('a')).toEqual({ asked: '3' });
  await expect(kept.of('c', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await tags('c')).toEqual({ asked: '4' });
});
