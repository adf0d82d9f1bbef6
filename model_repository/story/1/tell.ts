// SPDX-License-Identifier: Apache-2.0
// In place of a language model: always the same story about the same hero.

const PLACES = ["in a forest", "by the sea", "on a hill", "behind the mill", "in a very small town"];
const FINDS = ["a golden key", "an old map", "a talking pear", "half a wish", "a lantern without light"];
const FRIENDS = ["a tired fox", "the baker's cat", "a polite dragon", "an owl in glasses", "two snails"];
const TROUBLES = ["It began to rain.", "The moon went out.", "The bridge was gone.", "Nobody had brought a sandwich."];
const ENDS = ["They share it to this day.", "And that is why the stars blink.", "Then everybody went home for soup."];

/** The words of a story. */
export function* tell(hero: string): Generator<string> {
  let state = 2166136261;
  for (const character of hero) state = Math.imul(state ^ character.codePointAt(0)!, 16777619);
  const pick = (choices: readonly string[]): string => {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 374761393;
    return choices[(state >>> 8) % choices.length]!;
  };
  yield* `Once upon a time ${hero} lived ${pick(PLACES)}.`.split(/\s+/);
  yield* `One morning ${hero} found ${pick(FINDS)}, and showed it to ${pick(FRIENDS)}.`.split(/\s+/);
  yield* pick(TROUBLES).split(/\s+/);
  yield* pick(ENDS).split(/\s+/);
}
