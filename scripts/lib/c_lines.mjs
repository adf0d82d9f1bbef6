// SPDX-License-Identifier: Apache-2.0
// Lines that are too long: the formatter breaks code, and leaves long words alone.

const MAXIMUM = 120;

/** A sentence for each line of more than 120 characters. `sources` maps paths to texts. */
export function longLines(sources) {
  return [...sources].flatMap(([file, text]) =>
    text.split("\n").flatMap((line, index) => {
      const { length } = [...line];
      return length > MAXIMUM
        ? [`${file}:${index + 1}: a line may have ${MAXIMUM} characters, this has ${length}.`]
        : [];
    }),
  );
}
