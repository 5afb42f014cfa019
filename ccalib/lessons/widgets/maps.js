// What the inspector and the bought view share: numbers over a photograph, panels, and the cell they both select.
// Cividis for bits; blue and orange with a clear zero for gains, hatched where negative.

const GAIN = [11, 98, 168], COST = [208, 106, 0];

/** The value below which `share` of the (absolute) values lie: the end of a color scale that one outlier can't rule. */
function quantile(values, share) {
  const sorted = Float64Array.from(values, Math.abs).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] || sorted[sorted.length - 1] || 1;
}

/** A canvas of columns×rows cells: paint(values, kind, top) with kind "bits" or "gain"; paint(null) clears it. */
function cellCanvas(columns, rows, palette, side = 8) {
  const node = h("canvas", { width: columns * side, height: rows * side, class: "cca-cells", "aria-hidden": "true" });
  const pen = node.getContext("2d"), small = h("canvas", { width: columns, height: rows }), pixels = small.getContext("2d");
  const paint = (values, kind, top) => {
    pen.clearRect(0, 0, node.width, node.height);
    if (!values) return;
    const image = pixels.createImageData(columns, rows);
    for (let i = 0; i < values.length; i++) {
      if (kind === "bits") image.data.set([...bitsColor(palette, values[i] / top), 191], 4 * i);
      else image.data.set(gainColor(values[i] / top), 4 * i);
    }
    pixels.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, node.width, node.height);
    if (kind !== "gain") return;
    pen.strokeStyle = "rgba(30, 12, 0, .85)";
    pen.lineWidth = 1.2;
    pen.beginPath();
    values.forEach((value, i) => {
      if (value > -0.02 * top) return;
      const x = (i % columns) * side, y = Math.floor(i / columns) * side;
      pen.moveTo(x, y + side);
      pen.lineTo(x + side, y);
    });
    pen.stroke();
  };
  return { node, paint };
}

/** Red, green, blue of cividis at a share of its length. */
function bitsColor(palette, share) {
  const at = 3 * Math.round(255 * clamp(share, 0, 1));
  return [palette[at], palette[at + 1], palette[at + 2]];
}

/** Red, green, blue and opacity (0 … 255) of a gain as a share of the scale's end: nothing at zero. */
const gainColor = (share) => [...(share >= 0 ? GAIN : COST), Math.round(235 * Math.sqrt(Math.min(1, Math.abs(share))))];

/** The color scale below a map: a bar with its ends in words. */
function scaleBar(kind, palette, low, high) {
  const stops = Array.from({ length: 9 }, (_, i) => {
    const [red, green, blue, opacity] = kind === "bits" ? [...bitsColor(palette, i / 8), 255] : gainColor(i / 4 - 1);
    return `rgba(${red}, ${green}, ${blue}, ${opacity / 255})`;
  });
  return h("span", { class: "cca-scale" }, h("span", {}, low),
    h("span", { class: `cca-scale-bar cca-of-${kind}`, style: `background-image: linear-gradient(90deg, ${stops.join(", ")})` }), h("span", {}, high));
}

/** Bytes of a trait, as a static page (Uint8Array) or Jupyter (DataView) gives them. */
const asBytes = (data) => (data instanceof Uint8Array ? data : new Uint8Array(data.buffer, data.byteOffset, data.byteLength));

/** A box for a photograph with layers over it, in coordinates of its pixels; show({address, width, height}). */
function photoBox(...layers) {
  const image = h("img", { alt: "", draggable: "false" });
  const over = svg("svg", { class: "cca-over", "aria-hidden": "true" });
  const node = h("div", { class: "cca-stage cca-photo" }, image, layers, over);
  let size = [16, 16];
  const show = ({ address, width, height }) => {
    size = [width, height];
    node.style.cssText = `aspect-ratio: ${width} / ${height}; max-width: ${Math.round((640 * width) / height)}px; margin: 0 auto`;
    over.setAttribute("viewBox", `0 0 ${width} ${height}`);
    if (image.src !== address) image.src = address;
  };
  /** The cell under a pointer, as [column, row]. */
  const cellAt = (event) => {
    const box = node.getBoundingClientRect();
    return [(event.clientX - box.left) / (box.width || 1), (event.clientY - box.top) / (box.height || 1)]
      .map((share, i) => clamp(Math.floor((share * size[i]) / 16), 0, size[i] / 16 - 1));
  };
  /** Take the color out of the photograph under a map; under gains most of its contrast, too, so that zero is gray. */
  const mute = (kind) => { node.classList.toggle("cca-muted", Boolean(kind)); node.classList.toggle("cca-gains", kind === "gain"); };
  return { node, image, over, cellAt, show, mute };
}

/** Lines through a cell to the edges of the photograph, and its outline. */
function crosshair(column, row, width, height, dashed) {
  const x = 16 * column + 8, y = 16 * row + 8, d = `M0,${y}H${x - 8}M${x + 8},${y}H${width}M${x},0V${y - 8}M${x},${y + 8}V${height}`;
  return [svg("path", { d, class: "cca-hair cca-dark" }), svg("path", { d, class: "cca-hair cca-light" }), outlineOf(column, row, dashed)];
}

/** The outline of a cell, seen on any picture: dark around light. */
function outlineOf(column, row, dashed = false) {
  const square = (kind) => svg("rect", { x: 16 * column, y: 16 * row, width: 16, height: 16, class: `cca-outline ${kind}`, "stroke-dasharray": dashed ? "5 3" : null });
  return svg("g", {}, square("cca-dark"), square("cca-light"));
}

/** Draw again whenever the node's width changes: draw(width in pixels). */
function whenSized(node, draw, cleanup) {
  let width = 0;
  const again = () => { if (width > 0) draw(width); };
  const observer = new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now > 0 && now !== width) { width = now; again(); }
  });
  observer.observe(node);
  cleanup.add(() => observer.disconnect());
  return again;
}

/** A pattern of diagonal lines for SVG, and the address to fill with. */
function hatching(color, back = "transparent") {
  const id = `cca-hatch-${Math.random().toString(36).slice(2)}`;
  const node = svg("defs", {}, svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 6, height: 6, style: `fill: ${back}` }), svg("rect", { width: 2, height: 6, style: `fill: ${color}` })));
  return { node, fill: `url(#${id})` };
}

/** A titled part of a large widget. */
function panel(name, title, ...children) {
  const about = h("span", { class: "cca-about" });
  const node = h("section", { class: `cca-panel cca-at-${name}` }, h("div", { class: "cca-title" }, h("b", {}, title), " ", about), children);
  return { node, about: (...parts) => about.replaceChildren(...parts) };
}

/** Tell other widgets on the page which cell of which photograph was chosen: {name, cell, group, from}. */
const tell = (detail) => window.dispatchEvent(new CustomEvent("cca:cell", { detail }));

/** "12,345.67" of "12345.67". */
function grouped(text) {
  const [whole, rest] = text.split(".");
  const head = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return rest === undefined ? head : `${head}.${rest}`;
}

/** Bits with two decimals, no negative zero. */
const twoDecimals = (bits) => (/^-0\.00$/.test(bits.toFixed(2)) ? "0.00" : grouped(bits.toFixed(2)));

/** Round numbers between low and high, about `wanted` of them. */
function niceTicks(low, high, wanted) {
  const raw = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw * 0.999);
  const list = [];
  for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) list.push(Number(v.toFixed(6)));
  return list;
}

/** The model as `frame` should see it where the table follows the selection: rows() makes its rows when it is open. */
function withRows(model, rows) {
  const updates = [];
  const seen = { ...model, get: (name) => (name === "rows" ? (model.get("table") ? rows() : []) : model.get(name)),
    on: (event, update) => (event === "change:rows" ? updates.push(update) : model.on(event, update)), put: (name, value) => model.put(name, value) };
  return { seen, changed: () => updates.forEach((update) => update()) };
}

/** Whether a view must be drawn again: differs(...values) is false while they are what they were. */
function memory() {
  let last = null;
  return (...values) => {
    const key = values.join("|"), other = key !== last;
    last = key;
    return other;
  };
}
