// BD-rate as ccalib/evaluation/metrics.py has it: PCHIP through (dB, log10 rate), integrated exactly over the shared dB.

/** Slopes of the shape-preserving cubic: a weighted harmonic mean inside, three points at an end, 0 where y turns. */
function pchipSlopes(x, y) {
  const n = x.length, h = [], d = [];
  for (let i = 0; i < n - 1; i++) { h.push(x[i + 1] - x[i]); d.push((y[i + 1] - y[i]) / h[i]); }
  const end = (h0, h1, d0, d1) => {
    const m = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);
    if (m * d0 <= 0) return 0;
    return d0 * d1 <= 0 && Math.abs(m) > 3 * Math.abs(d0) ? 3 * d0 : m;
  };
  const m = [end(h[0], h[1], d[0], d[1])];
  for (let i = 1; i < n - 1; i++) {
    const a = 2 * h[i] + h[i - 1], b = h[i] + 2 * h[i - 1];
    m.push(d[i - 1] * d[i] <= 0 ? 0 : (a + b) / (a / d[i - 1] + b / d[i]));
  }
  m.push(end(h[n - 2], h[n - 3], d[n - 2], d[n - 3]));
  return m;
}

/** The curve of (rate, dB) points as log10 rate over dB: at(dB) reads it, area(low, high) integrates it. */
function logRate(points) {
  const sorted = [...points].sort((a, b) => a[1] - b[1]), x = sorted.map((p) => p[1]), y = sorted.map((p) => Math.log10(p[0]));
  const m = pchipSlopes(x, y);
  const place = (u) => { let i = 0; while (i < x.length - 2 && u > x[i + 1]) i += 1; return i; };
  const at = (u) => {
    const i = place(u), h = x[i + 1] - x[i], t = (u - x[i]) / h, s = 1 - t;
    return y[i] * s * s * (1 + 2 * t) + y[i + 1] * t * t * (3 - 2 * t) + h * t * s * (m[i] * s - m[i + 1] * t);
  };
  const piece = (i, t) => {
    const h = x[i + 1] - x[i], t2 = t * t, t3 = t2 * t, t4 = t2 * t2;
    return h * (y[i] * (t - t3 + t4 / 2) + y[i + 1] * (t3 - t4 / 2) + h * (m[i] * (t2 / 2 - (2 * t3) / 3 + t4 / 4) + m[i + 1] * (t4 / 4 - t3 / 3)));
  };
  const upTo = (u) => {
    const last = place(u);
    let sum = 0;
    for (let i = 0; i < last; i++) sum += piece(i, 1);
    return sum + piece(last, (u - x[last]) / (x[last + 1] - x[last]));
  };
  return { at, area: (low, high) => upTo(high) - upTo(low), low: x[0], high: x[x.length - 1] };
}

/** {percent, low, high, anchor, test} of two curves of (rate, dB) points; null below four points or without overlap. */
function bdRate(anchorPoints, testPoints) {
  if (Math.min(anchorPoints.length, testPoints.length) < 4) return null;
  const anchor = logRate(anchorPoints), test = logRate(testPoints);
  const low = Math.max(anchor.low, test.low), high = Math.min(anchor.high, test.high);
  if (low >= high) return null;
  const mean = (test.area(low, high) - anchor.area(low, high)) / (high - low);
  return { percent: 100 * (10 ** mean - 1), low, high, anchor, test };
}
