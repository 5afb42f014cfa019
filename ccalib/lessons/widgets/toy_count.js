// The toy's cells, counted as in ccalib/lessons/toy.py: the density over each cell of the quantizer, and sums.

const TOY_NODES = [[0.1252334085114689, 0.2491470458134028], [0.3678314989981802, 0.2334925365383548], [0.5873179542866175, 0.2031674267230659],
  [0.7699026741943047, 0.1600783285433462], [0.9041172563704749, 0.1069393259953184], [0.9815606342467192, 0.0471753363865118]]
  .flatMap(([x, w]) => [[-x, w], [x, w]]);
const TOY_REACH = 6, TOY_SMALLEST = 1e-6;

/** Normal distribution function, to 1e-7. */
function normalBelow(x) {
  const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.5 * z);
  const c = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  const tail = 0.5 * t * Math.exp(-z * z + c.reduceRight((sum, k) => sum * t + k, 0));
  return x > 0 ? 1 - tail : tail;
}

const bitsOf = (p) => p.reduce((sum, v) => (v > 1e-300 ? sum - v * Math.log2(v) : sum), 0);

/** Rates in bits and squared error per scalar of y = a x (a: [[a11, a12], [a21, a22]]), x normal with correlation rho. */
function countCells(a, rho) {
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + rho * (u[0] * v[1] + u[1] * v[0]);
  const s11 = dot(a[0], a[0]), s22 = dot(a[1], a[1]), s12 = dot(a[0], a[1]), s1 = Math.sqrt(s11);
  const n1 = Math.ceil(TOY_REACH * s1), n2 = Math.ceil(TOY_REACH * Math.sqrt(s22)), width = 2 * n2 + 1;
  const slope = s12 / s11, spread = Math.max(Math.sqrt(Math.max(s22 - slope * s12, 0)), TOY_SMALLEST);
  const det = a[0][0] * a[1][1] - a[0][1] * a[1][0], copy = Math.abs(det) < 1e-9;
  const p1 = new Float64Array(2 * n1 + 1), p2 = new Float64Array(width), all = [];
  let kept = 0, total = 0;
  for (let i = -n1; i <= n1; i++) {
    const p = new Float64Array(width), m1 = new Float64Array(width), m2 = new Float64Array(width);
    const from = Math.max(i - 0.5, -TOY_REACH * s1), to = Math.min(i + 0.5, TOY_REACH * s1), half = Math.max(to - from, 0) / 2;
    for (const [node, weight] of TOY_NODES) {
      const y1 = (from + to) / 2 + half * node, mass = (half * weight * Math.exp(-0.5 * (y1 / s1) ** 2)) / (s1 * Math.sqrt(2 * Math.PI));
      let t = (-n2 - 0.5 - slope * y1) / spread, below = normalBelow(t), bell = Math.exp(-0.5 * t * t);
      for (let j = 0; j < width; j++) {
        const u = (j - n2 + 0.5 - slope * y1) / spread, next = normalBelow(u), bellNext = Math.exp(-0.5 * u * u);
        const inside = next - below;
        p[j] += mass * inside;
        m1[j] += mass * y1 * inside;
        m2[j] += mass * (slope * y1 * inside - (spread * (bellNext - bell)) / Math.sqrt(2 * Math.PI));
        below = next; bell = bellNext;
      }
    }
    for (let j = 0; j < width; j++) {
      total += p[j]; p1[i + n1] += p[j]; p2[j] += p[j]; all.push(p[j]);
      if (p[j] < 1e-300) continue;
      const x = copy ? [(m1[j] * (a[0][0] + rho * a[0][1])) / s11, (m1[j] * (rho * a[0][0] + a[0][1])) / s11]
        : [(a[1][1] * m1[j] - a[0][1] * m2[j]) / det, (a[0][0] * m2[j] - a[1][0] * m1[j]) / det];
      kept += (x[0] ** 2 + x[1] ** 2) / p[j];
    }
  }
  const shares = (p) => Array.from(p, (v) => v / total);
  const r1 = bitsOf(shares(p1)), r2 = bitsOf(shares(p2)), joint = bitsOf(shares(all));
  return { r1, r2, given: joint - r1, rate: joint, gain: r1 + r2 - joint, d: Math.max(2 - kept / total, 0) / 2 };
}

/** The matrix of two directions (degrees from the first KLT axis) and gains. */
function arrowsOf(angles, gains) {
  return angles.map((angle, i) => {
    const turned = ((angle + 45) * Math.PI) / 180;
    return [gains[i] * Math.cos(turned), gains[i] * Math.sin(turned)];
  });
}
