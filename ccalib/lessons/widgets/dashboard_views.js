// The parts of the training dashboard: charts over the steps with one cursor, the picture, the rail.

const rateOf = (r) => r.z + r.groups.reduce((a, b) => a + b, 0);
const psnrOf = (mse) => 10 * Math.log10(255 ** 2 / Math.max(mse, 1e-9));
const short = (v) => (v >= 100 ? thousands(v) : String(Number(v.toPrecision(2))));

/**
 * A chart over the steps. `shape(records)` gives {low, high, ticks, areas: [[color, lower, upper]], lines: [[class, values]]}, all in the
 * chart's own units; a pointer anywhere on it scrubs: go(step).
 */
function stepsChart(name, title, height, shape, legend, go, app, cleanup) {
  const holder = h("div", { class: "cca-chart" }), part = panel(name, title, holder, legend);
  let last = null;
  const L = 46, R = 8, top = 10, base = height - 22;
  const draw = (W) => {
    const { records, record, end, begin } = last, X = (step) => L + ((W - L - R) * (step - begin)) / (end - begin || 1);
    if (!records.length) { holder.replaceChildren(h("p", { class: "cca-waiting" }, "nothing yet")); return; }
    const { low, high, ticks, areas = [], lines = [] } = shape(records), Y = (v) => base - ((base - top) * (clamp(v, low, high) - low)) / (high - low || 1);
    const path = (values) => records.map((r, i) => `${X(r.step).toFixed(1)},${Y(values[i]).toFixed(1)}`);
    const marks = niceTicks(begin, end, W < 440 ? 4 : 6).filter((v) => Number.isInteger(v));
    holder.replaceChildren(svg("svg", { width: W, height, viewBox: `0 0 ${W} ${height}`, "aria-hidden": "true" },
      ticks.map(([v, text]) => svg("g", {}, svg("line", { x1: L, x2: W - R, y1: Y(v), y2: Y(v), class: "cca-gridline" }), svg("text", { x: L - 6, y: Y(v) + 4, "text-anchor": "end", class: "soft" }, text))),
      areas.map(([color, lower, upper]) => svg("path", { d: `M${path(upper).join("L")}L${path(lower).reverse().join("L")}Z`, style: `fill: ${color}; stroke: ${color}; stroke-width: .6` })),
      lines.map(([kind, values]) => svg("path", { d: `M${path(values).join("L")}`, class: `cca-curve ${kind}` })),
      records.length === 1 ? lines.map(([kind, values]) => svg("circle", { cx: X(records[0].step), cy: Y(values[0]), r: 2.5, class: `cca-curve ${kind}` })) : null,
      svg("line", { x1: L, x2: W - R, y1: base, y2: base, class: "cca-zero" }),
      marks.map((v) => svg("text", { x: X(v), y: height - 6, "text-anchor": X(v) > W - 34 ? "end" : "middle", class: "soft" }, v === marks[marks.length - 1] ? `step ${thousands(v)}` : thousands(v))),
      svg("line", { x1: X(record.step), x2: X(record.step), y1: top - 6, y2: base, class: "cca-cursor" }),
      lines.map(([kind, values]) => svg("circle", { cx: X(record.step), cy: Y(values[records.indexOf(record)]), r: 4, class: `cca-dot ${kind}` }))));
  };
  const again = whenSized(holder, draw, cleanup);
  draggable(holder, app, (x) => {
    if (!last || !last.records.length) return;
    const W = holder.getBoundingClientRect().width || 1;
    go(last.begin + ((clamp(x * W, L, W - R) - L) / (W - L - R)) * (last.end - last.begin));
  });
  return { node: part.node, about: part.about, update: (s) => { last = s; again(); } };
}

/** The end of a scale that a few steps gone wrong can't rule: lines that leave it are cut off at the top. */
function calmest(values) {
  const sorted = [...values].sort((a, b) => a - b), usual = 1.8 * sorted[Math.floor(0.95 * (sorted.length - 1))];
  return Math.max(Math.min(sorted[sorted.length - 1], usual), 1e-6);
}

/** z at the bottom, then each group on top of the ones before. */
function rateShape(colors) {
  return (records) => {
    const layers = records.map((r) => { let sum = 0; return [0, ...[r.z, ...r.groups].map((v) => (sum += v))]; });
    const high = 1.06 * calmest(records.map(rateOf));
    return { low: 0, high, ticks: niceTicks(0, high, 5).map((v) => [v, String(v)]),
      areas: colors.map((color, i) => [color, layers.map((l) => l[i]), layers.map((l) => l[i + 1])]) };
  };
}

/** R, λD and their sum. */
function termsShape(records) {
  const high = 1.06 * calmest(records.map((r) => r.sum));
  return { low: 0, high, ticks: niceTicks(0, high, 5).map((v) => [v, String(v)]),
    lines: [["cca-of-cost", records.map((r) => r.cost)], ["cca-of-rate", records.map(rateOf)], ["cca-of-sum", records.map((r) => r.sum)]] };
}

/** One positive number on a logarithmic scale. */
function logShape(kind, read, minimum) {
  return (records) => {
    const values = records.map((r) => Math.max(read(r), minimum)), logs = values.map(Math.log10);
    const low = Math.min(...logs) - 0.05, high = Math.log10(calmest(values)) + 0.05, ticks = [];
    for (let k = Math.floor(low); k <= high; k++) for (const m of high - low < 0.9 ? [1, 1.5, 2, 3, 4, 6, 8] : high - low < 1.8 ? [1, 2, 5] : [1]) {
      const v = k + Math.log10(m);
      if (v >= low && v <= high) ticks.push([v, short(10 ** v)]);
    }
    return { low, high, ticks, lines: [[kind, logs]] };
  };
}

/** The learning rate, from zero. */
function rateOfLearning(records) {
  const high = 1.1 * Math.max(...records.map((r) => r.lr), 1e-12);
  return { low: 0, high, ticks: [[0, "0"], [high / 1.1, short(high / 1.1)]], lines: [["cca-of-lr", records.map((r) => r.lr)]] };
}

/** The newest picture that the codec of the chosen step, or an earlier one, has decoded. */
function pictureView(model, cleanup) {
  const image = h("img", { alt: "", draggable: "false" }), chip = h("span", { class: "cca-chip", style: "left: 6px; top: 6px" });
  const stage = h("div", { class: "cca-stage" }, image, chip), waiting = h("p", { class: "cca-waiting" }, "no pictures were kept of this training");
  const part = panel("picture", "Picture", stage, waiting), addresses = [];
  const update = ({ shots, shot, running }) => {
    const data = model.get("pictures");
    while (addresses.length < data.length) addresses.push(addressOf(data[addresses.length], model.get("mime"), cleanup));
    const seen = shots.length > 0 && shot >= 0 && addresses[shot];
    stage.style.display = seen ? "" : "none";
    waiting.style.display = seen ? "none" : "";
    if (running) waiting.textContent = "the first picture comes soon";
    if (!seen) return;
    const width = model.get("width"), height = model.get("height");
    stage.style.cssText = `aspect-ratio: ${width} / ${height}; max-width: ${Math.round((640 * width) / height)}px; margin: 0 auto`;
    if (image.src !== addresses[shot]) image.src = addresses[shot];
    chip.textContent = `step ${thousands(shots[shot].step)} · ${shots[shot].psnr.toFixed(1)} dB · ${shots[shot].bpp.toFixed(2)} bpp`;
    part.about(`as the codec of that step decodes it; ${shots.length} pictures`);
  };
  return { node: part.node, update };
}

/** A rail over the steps, with a mark for each picture. */
function stepsRail(go, app, cleanup) {
  const label = h("span", { class: "cca-rail-label" }), rail = h("span", { class: "cca-rail" });
  const edge = 12;
  let width = 100, last = null;
  const again = whenSized(rail, (now) => {
    width = now;
    const { begin, end, record, records, shots } = last, X = (step) => edge + ((width - 2 * edge) * (step - begin)) / (end - begin || 1);
    rail.replaceChildren(svg("svg", { width, height: 30, viewBox: `0 0 ${width} 30`, "aria-hidden": "true" }, svg("line", { x1: X(begin), x2: X(end), y1: 15, y2: 15, class: "cca-rail-line" }),
      records.length ? svg("line", { x1: X(begin), x2: X(records[records.length - 1].step), y1: 15, y2: 15, class: "cca-rail-done" }) : null,
      shots.map((s) => svg("circle", { cx: X(s.step), cy: 15, r: 4, class: "cca-stop" })), record ? svg("circle", { cx: X(record.step), cy: 15, r: 9, class: "cca-knob" }) : null));
  }, cleanup);
  draggable(rail, app, (x) => last && go(last.begin + clamp((x * width - edge) / (width - 2 * edge), 0, 1) * (last.end - last.begin)));
  const node = h("div", { class: "cca-focus cca-steps", role: "slider", tabindex: "0", "aria-label": "step of the training", "aria-valuemin": "0" }, label, rail);
  return { node,
    update: (s) => { last = s; label.textContent = s.record ? `step ${thousands(s.record.step)}` : "waiting"; again(); } };
}
