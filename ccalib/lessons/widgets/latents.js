// What the inspector's views read: symbol, mean, level and bits of every latent, by three accounts.

const ACCOUNTS = ["file", "with", "without"];

/** Bytes that Python deflated. */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** The range coder's price list: bits(level, symbol), from counts of 65,536; escapes and their nibbles included. */
function coderTables(counts, lengths, offsets) {
  const cost = Float64Array.from(counts, (count) => 16 - Math.log2(count));
  const starts = [];
  lengths.reduce((at, length) => { starts.push(at); return at + length; }, 0);
  const bits = (level, symbol) => {
    const place = symbol - offsets[level], top = lengths[level] - 1;
    if (place >= 0 && place < top) return cost[starts[level] + place];
    let distance = place < 0 ? -2 * place - 1 : 2 * (place - top), nibbles = 0;
    while (distance > 0) { distance = Math.floor(distance / 16); nibbles += 1; }
    return cost[starts[level] + top] + 4 * (1 + nibbles);
  };
  const known = (level, symbol) => symbol >= offsets[level] && symbol < offsets[level] + lengths[level] - 1;
  return { bits, known };
}

/** Everything about every latent, from the model's binary traits; `bits` is worked out here, once. */
async function loadLatents(model) {
  const [raw, counts] = await Promise.all([inflate(model.get("planes")), inflate(model.get("tables"))]);
  const coder = coderTables(new Uint16Array(counts), model.get("table_lengths"), model.get("table_offsets"));
  const sizes = model.get("sizes"), columns = model.get("width") / 16, rows = model.get("height") / 16;
  const first = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
  const channels = first[first.length - 1] + sizes[sizes.length - 1], cells = columns * rows, count = channels * cells;
  const accounts = {};
  ACCOUNTS.forEach((name, i) => {
    const at = 5 * count * i;
    const symbol = new Int16Array(raw, at, count), mean = new Int16Array(raw, at + 2 * count, count);
    const level = new Uint8Array(raw, at + 4 * count, count), bits = new Float64Array(count);
    for (let j = 0; j < count; j++) bits[j] = coder.bits(level[j], symbol[j]);
    accounts[name] = { symbol, mean, level, bits };
  });
  const index = (channel, row, column) => (channel * rows + row) * columns + column;
  const groupOf = (channel) => { let i = sizes.length - 1; while (first[i] > channel) i -= 1; return i; };

  /** One account of one latent. */
  const entry = (name, at) => {
    const { symbol, mean, level, bits } = accounts[name];
    return { symbol: symbol[at], mean: mean[at] * model.get("mean_step"), level: level[at], scale: model.get("scales")[level[at]], bits: bits[at] };
  };
  const gain = (at) => accounts.without.bits[at] - accounts.with.bits[at];

  /** Values summed over channels from..to, for each cell. */
  const overChannels = (value, from, to) => {
    const sums = new Float64Array(cells);
    for (let c = from; c < to; c++) for (let i = 0; i < cells; i++) sums[i] += value(c * cells + i);
    return sums;
  };
  const paid = (at) => accounts.file.bits[at];
  const zShare = () => { // a hyper-latent stands for 4×4 cells
    const z = model.get("z_bits"), wide = columns / 4;
    return Float64Array.from({ length: cells }, (_, i) => z[Math.floor(i / columns / 4) * wide + Math.floor((i % columns) / 4)] / 16);
  };
  const cache = new Map();
  const maps = {
    channel: (channel) => overChannels(paid, channel, channel + 1),
    group: (channel, group) => overChannels(paid, first[group], first[group] + sizes[group]),
    all: () => { const z = zShare(); return overChannels(paid, 0, channels).map((v, i) => v + z[i]); },
    bought: (channel, group) => overChannels(gain, first[group], first[group] + sizes[group]),
  };
  /** The map of a kind ("channel", "group", "all", "bought") for a channel, the sum of its cells, and where its scale ends. */
  const map = (kind, channel) => {
    const group = groupOf(channel), key = `${kind} ${kind === "channel" ? channel : kind === "all" ? "" : group}`;
    if (!cache.has(key)) {
      const values = maps[kind](channel, group);
      if (cache.size > 40) cache.clear();
      cache.set(key, { values, sum: values.reduce((a, b) => a + b, 0), top: quantile(values, 0.995) });
    }
    return cache.get(key);
  };
  return { coder, sizes, first, channels, columns, rows, cells, index, groupOf, entry, gain, map, bitsOf: paid };
}

/** 2^−bits with two digits, however small. */
function probability(bits) {
  const value = 2 ** -bits;
  if (value >= 0.001) return value < 0.995 ? String(Number(value.toPrecision(2))) : value.toFixed(3);
  const [mantissa, exponent] = value.toExponential(1).split("e");
  return `${mantissa}e${Number(exponent)}`;
}
