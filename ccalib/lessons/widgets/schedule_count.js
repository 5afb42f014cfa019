// A schedule counted as in Python: sizes (ccalib/model/groups.py), cost (lessons/schedules.py), shares (lessons/filling.py).

const SD_SMALLEST = 2, SD_CELL = 256;
const sum = (values) => values.reduce((a, b) => a + b, 0);
const asFloat = (k) => (Number.isInteger(k) ? `${k}.0` : String(k));

/** {sizes} of M channels in G groups with exponent k, or {error} in the package's words. */
function groupSizes(channels, groups, k) {
  if (groups < 1 || channels < SD_SMALLEST * groups)
    return { error: `groups: ${groups} groups of at least ${SD_SMALLEST} channels don't fit into ${channels} channels` };
  let total = 0;
  for (let i = 1; i <= groups; i++) total += i ** k;
  const sizes = [];
  for (let i = 1; i < groups; i++) sizes.push(Math.max(Math.floor((channels * i ** k) / total), SD_SMALLEST));
  const last = channels - sum(sizes);
  if (last < Math.max(...sizes, SD_SMALLEST))
    return { error: `k: ${asFloat(k)} leaves ${last} channels for the last of ${groups} groups of ${channels} channels` };
  return { sizes: [...sizes, last] };
}

/** Multiply–accumulates of a head at one position: 3×3 convolutions, inputs → hidden … → outputs. */
function headMacs(inputs, hidden, outputs) {
  const widths = [inputs, ...hidden, outputs];
  return 9 * sum(widths.slice(1).map((b, i) => widths[i] * b));
}

/** Thousands of multiply–accumulates a pixel of each group's context, for a network {split, hyper_out, width, blocks, heads}. */
function contextKmac(network, sizes, cells) {
  const { split, width, blocks, heads } = network;
  const out = split ? sum(sizes) : Math.max(network.hyper_out, sizes[0]);
  let seen = 0;
  return sizes.map((size) => {
    const read = out + seen;
    seen += size;
    if (!split) return (read * width + blocks * 10 * width ** 2 + headMacs(width, heads, 2 * size) + headMacs(width + size, heads, size)) / (1000 * SD_CELL);
    const trunk = 2 * read * width + blocks * (6 * width ** 2 + 18 * width);
    const all = cells * (2 * trunk + 2 * headMacs(read, heads, size) + headMacs(read + size, heads, size)) + 2 * blocks * width ** 2;
    return all / (1000 * SD_CELL * cells);
  });
}

/** Percent of the bits of each group at `bpp`, by reverse water-filling over falling variances. */
function filledShares(sizes, variances, bpp) {
  const logs = variances.slice(0, sum(sizes)).map(Math.log2), bits = SD_CELL * bpp;
  let total = 0, level = 0;
  for (let n = 0; n < logs.length; n++) {
    total += logs[n];
    const next = (total - 2 * bits) / (n + 1);
    if (logs[n] > next) level = next; else break;
  }
  let at = 0;
  return sizes.map((size) => {
    const group = logs.slice(at, at + size);
    at += size;
    return (100 * sum(group.map((v) => Math.max(0, (v - level) / 2)))) / bits;
  });
}

/** Percent measured in each group at `bpp`, between the rates where it was measured; else null. */
function measuredShares({ bpp: rates, shares }, bpp) {
  const last = rates.length - 1;
  if (bpp < rates[0] || bpp > rates[last]) return null;
  let i = 0;
  while (i < last - 1 && bpp > rates[i + 1]) i++;
  const part = last ? Math.log(bpp / rates[i]) / Math.log(rates[i + 1] / rates[i]) : 0;
  return shares[i].map((v, g) => (last ? v + part * (shares[i + 1][g] - v) : v));
}

/** Half the sum of differences: percent of the bits in the wrong group. */
const misplacedBits = (a, b) => sum(a.map((v, i) => Math.abs(v - b[i]))) / 2;
