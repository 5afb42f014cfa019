// The toy's cells, counted as in ccalib/lessons/toy.py: the density over each cell of the quantizer, and sums.

const TOY_NODES = [[0.2386191860831969, 0.4679139345726910], [0.6612093864662645, 0.3607615730481387], [0.9324695142031519, 0.1713244923791703]]
  .flatMap(([x, w]) => [[-x, w], [x, w]]);
const TOY_REACH = 6, TOY_SMALLEST = 1e-8;

/** Normal distribution function, to 1e-7. */
function normalBelow(x) {
  const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.5 * z);
  const c = [-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277];
  const tail = 0.5 * t * Math.exp(-z * z + c.reduceRight((sum, k) => sum * t + k, 0));
  return x > 0 ? 1 - tail : tail;
}

const bitsOf = (p) => p.reduce((sum, v) => (v > 1e-300 ? sum - v * Math.log2(v) : sum), 0);

/** Bounds along y₁ between which P(cell of y₂ | y₁) and the density of y₁ are smooth enough for a few nodes. */
function piecesOf(s1, slope, spread, n1, n2) {
  const reach = TOY_REACH * s1, width = spread / Math.max(Math.abs(slope), 1e-12), bounds = [];
  const evenly = (n) => { for (let k = 0; k <= n; k++) bounds.push(reach * ((2 * k) / n - 1)); };
  for (let i = -n1; i < n1; i++) bounds.push(i + 0.5);
  evenly(6);
  if (width < Math.min(s1, 0.5)) { // narrower pieces, everywhere or around the edges only, whichever are fewer
    const everywhere = Math.ceil(reach / width);
    if (everywhere + 1 < 7 * (2 * n2 + 2)) evenly(everywhere);
    else for (let j = -n2; j <= n2 + 1; j++) for (const by of [-6, -3, -1, 0, 1, 3, 6]) bounds.push((j - 0.5) / slope + width * by);
  }
  return Float64Array.from(bounds, (b) => Math.min(Math.max(b, -reach), reach)).sort();
}

/** Rates in bits and squared error per scalar of y = a x (a: [[a11, a12], [a21, a22]]), x normal with correlation rho. */
function countCells(a, rho) {
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + rho * (u[0] * v[1] + u[1] * v[0]);
  const s11 = dot(a[0], a[0]), s12 = dot(a[0], a[1]), s1 = Math.sqrt(s11), slope = s12 / s11;
  const n1 = Math.ceil(TOY_REACH * s1), n2 = Math.ceil(TOY_REACH * Math.sqrt(dot(a[1], a[1]))), wide = 2 * n2 + 1;
  const det = a[0][0] * a[1][1] - a[0][1] * a[1][0], root = Math.sqrt(1 - rho * rho);
  const spread = Math.max((Math.abs(det) * root) / s1, TOY_SMALLEST); // of y₂ given y₁
  const size = (2 * n1 + 1) * wide, p = new Float64Array(size), m1 = new Float64Array(size), mz = new Float64Array(size);
  const bounds = piecesOf(s1, slope, spread, n1, n2);
  for (let k = 1; k < bounds.length; k++) {
    const half = (bounds[k] - bounds[k - 1]) / 2, center = bounds[k - 1] + half, row = (Math.floor(center + 0.5) + n1) * wide;
    if (half === 0) continue;
    for (const [node, weight] of TOY_NODES) {
      const y1 = center + half * node, mass = (half * weight * Math.exp(-0.5 * (y1 / s1) ** 2)) / (s1 * Math.sqrt(2 * Math.PI));
      const from = Math.max(Math.floor(slope * y1 - 8 * spread + n2 + 0.5), 0), to = Math.min(slope * y1 + 8 * spread + n2 + 0.5, wide);
      let z = (from - n2 - 0.5 - slope * y1) / spread, below = normalBelow(z), bell = Math.exp(-0.5 * z * z);
      for (let j = from; j < to; j++) { // edges beyond are never crossed
        z = (j - n2 + 0.5 - slope * y1) / spread;
        const next = normalBelow(z), bellNext = Math.exp(-0.5 * z * z), inside = mass * (next - below);
        p[row + j] += inside;
        m1[row + j] += y1 * inside;
        mz[row + j] += (mass * (bell - bellNext)) / Math.sqrt(2 * Math.PI);
        below = next; bell = bellNext;
      }
    }
  }
  // the decoder's conditional mean: x is linear in y₁ and z, where y₂ = slope y₁ + spread z
  const along = [(a[0][0] + rho * a[0][1]) / s11, (rho * a[0][0] + a[0][1]) / s11];
  const across = [(-a[0][1] * Math.sign(det) * root) / s1, (a[0][0] * Math.sign(det) * root) / s1];
  const p1 = new Float64Array(2 * n1 + 1), p2 = new Float64Array(wide);
  let kept = 0, total = 0;
  p.forEach((v, k) => {
    total += v; p1[Math.floor(k / wide)] += v; p2[k % wide] += v;
    if (v > 1e-300) kept += ((along[0] * m1[k] + across[0] * mz[k]) ** 2 + (along[1] * m1[k] + across[1] * mz[k]) ** 2) / v;
  });
  const bits = (q) => bitsOf(q.map((v) => v / total)), r1 = bits(p1), r2 = bits(p2), joint = bits(p);
  return { r1, r2, given: joint - r1, rate: joint, gain: r1 + r2 - joint, d: Math.max(2 - kept / total, 0) / 2 };
}

/** The matrix of two directions (degrees from the first KLT axis) and gains. */
function arrowsOf(angles, gains) {
  return angles.map((angle, i) => {
    const turned = ((angle + 45) * Math.PI) / 180;
    return [gains[i] * Math.cos(turned), gains[i] * Math.sin(turned)];
  });
}
