// SPDX-License-Identifier: Apache-2.0
// Which parts of a line the direction network looks at.
//
// The network takes crops of 48 x 192 pixels, some eight letters. A whole line squeezed into that is guesswork: of a page of
// lines of 60 letters it takes half for upside down. So a long line is looked at in several places, as it is.

/** Size of the network's input. */
export const windowWidth = 192;
export const windowHeight = 48;
const mostWindows = 3;

/** Left edges of the windows of a crop of the given width (48 pixels high), spread evenly from its start to its end. */
export function directionWindows(width: number): number[] {
  const count = Math.min(Math.max(1, Math.ceil(width / windowWidth)), mostWindows);
  const room = Math.max(0, width - windowWidth);
  return Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * room) / (count - 1))));
}
