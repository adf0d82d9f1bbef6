// SPDX-License-Identifier: Apache-2.0
// Plane geometry of rectangles that may be turned: hull, smallest rectangle, growth, order of the corners.

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Four corners. */
export type Quad = readonly [Point, Point, Point, Point];

export interface Rectangle {
  readonly corners: Quad;
  /** Lengths of the two sides. */
  readonly sides: readonly [number, number];
}

function turn(a: Point, b: Point, c: Point): number {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/** Convex hull without points on straight lines. `points` are to be in order of y, then of x. */
export function convexHull(points: readonly Point[]): Point[] {
  if (points.length < 3) return [...points];
  const chain = (ordered: Iterable<Point>): Point[] => {
    const out: Point[] = [];
    for (const p of ordered) {
      while (out.length >= 2 && turn(out[out.length - 2]!, out[out.length - 1]!, p) <= 0) out.pop();
      out.push(p);
    }
    out.pop();
    return out;
  };
  return [...chain(points), ...chain(points.toReversed())];
}

/** The rectangle of the smallest area around a convex polygon; undefined when the polygon has no area. */
export function smallestRectangle(hull: readonly Point[]): Rectangle | undefined {
  if (hull.length < 3) return undefined;
  let best: Rectangle | undefined;
  let bestArea = Number.POSITIVE_INFINITY;
  // One side of the smallest rectangle lies on a side of the hull.
  for (let i = 0; i < hull.length; i++) {
    const candidate = rectangleAlong(hull, hull[i]!, hull[(i + 1) % hull.length]!);
    const area = candidate.sides[0] * candidate.sides[1];
    if (area < bestArea) {
      best = candidate;
      bestArea = area;
    }
  }
  return best;
}

function rectangleAlong(hull: readonly Point[], from: Point, to: Point): Rectangle {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const ux = (to.x - from.x) / length;
  const uy = (to.y - from.y) / length;
  let minAlong = 0;
  let maxAlong = 0;
  let minAcross = 0;
  let maxAcross = 0;
  // Measured from `from`, so that a side along an axis gives whole numbers.
  for (const p of hull) {
    const along = (p.x - from.x) * ux + (p.y - from.y) * uy;
    const across = (p.y - from.y) * ux - (p.x - from.x) * uy;
    if (along < minAlong) minAlong = along;
    if (along > maxAlong) maxAlong = along;
    if (across < minAcross) minAcross = across;
    if (across > maxAcross) maxAcross = across;
  }
  const corner = (along: number, across: number): Point => ({
    x: from.x + along * ux - across * uy,
    y: from.y + along * uy + across * ux,
  });
  return {
    corners: [
      corner(minAlong, minAcross),
      corner(maxAlong, minAcross),
      corner(maxAlong, maxAcross),
      corner(minAlong, maxAcross),
    ],
    sides: [maxAlong - minAlong, maxAcross - minAcross],
  };
}

/**
 * Orders the corners of a rectangle clockwise on the screen, from the left end of its upper side. The upper and the lower side
 * are those that lie flatter, so that a column that leans is still a column.
 */
export function clockwiseFromTopLeft(corners: Quad): Quad {
  const middle = { x: mean(corners, "x"), y: mean(corners, "y") };
  const angle = (p: Point) => Math.atan2(p.y - middle.y, p.x - middle.x);
  // The y axis points down, so growing angles go clockwise; the first corner is one of the two of a side that is flat.
  const around = corners.toSorted((p, q) => angle(p) - angle(q));
  const [a, b, c] = around as [Point, Point, Point, Point];
  const first = Math.abs(a.x - b.x) - Math.abs(a.y - b.y) >= Math.abs(b.x - c.x) - Math.abs(b.y - c.y) ? 0 : 1;
  const from = (i: number) => [0, 1, 2, 3].map((step) => around[(i + step) % 4]!) as unknown as Quad;
  const [one, other] = [from(first), from(first + 2)];
  return one[0].y + one[1].y <= other[0].y + other[1].y ? one : other;
}

function mean(points: readonly Point[], axis: "x" | "y"): number {
  return points.reduce((sum, point) => sum + point[axis], 0) / points.length;
}

/** Half of the greatest distance that a circle may have from the straight lines that stand for it. */
const arcTolerance = 0.25;

/**
 * Moves the sides of a rectangle outwards by `distance`, with round corners on whole pixels, and gives the smallest
 * rectangle around the result.
 */
export function growRectangle(rectangle: Rectangle, distance: number): Rectangle | undefined {
  const corners = rectangle.corners.map((p) => ({ x: Math.trunc(p.x), y: Math.trunc(p.y) }));
  const area = corners.reduce((sum, p, i) => {
    const q = corners[(i + 1) % 4]!;
    return sum + p.x * q.y - q.x * p.y;
  }, 0);
  // The normals below point outwards for one sense of rotation only.
  if (area < 0) corners.reverse();
  const stepsPerTurn = Math.PI / Math.acos(1 - Math.min(arcTolerance, distance / 4) / distance);
  const outline: Point[] = [];
  for (let i = 0; i < 4; i++) {
    const previous = corners[(i + 3) % 4]!;
    const corner = corners[i]!;
    const next = corners[(i + 1) % 4]!;
    const start = Math.atan2(previous.x - corner.x, corner.y - previous.y);
    const end = Math.atan2(corner.x - next.x, next.y - corner.y);
    const sweep = (end - start + 4 * Math.PI) % (2 * Math.PI);
    const steps = Math.max(1, Math.round((stepsPerTurn * sweep) / (2 * Math.PI)));
    for (let step = 0; step <= steps; step++) {
      const angle = start + (sweep * step) / steps;
      outline.push({
        x: Math.round(corner.x + distance * Math.cos(angle)),
        y: Math.round(corner.y + distance * Math.sin(angle)),
      });
    }
  }
  outline.sort((p, q) => p.y - q.y || p.x - q.x);
  return smallestRectangle(convexHull(outline));
}
