// The parts of "What did the previous group buy?": bars with brackets, totals, histogram.

const signed = (value, digits) => `${value < 0 ? "−" : "+"}${grouped(Math.abs(value).toFixed(digits))}`;
const total = (list) => list.reduce((a, b) => a + b, 0);

/** Per group: with (filled), without (outlined), z only (hatched); the bracket between the first two, labelled. */
function barsView(app, cleanup) {
  const holder = h("div", { class: "cca-bars" }), legend = h("div", { class: "cca-legend-line" });
  const key = (kind, words) => h("span", { class: "cca-legend-item" }, h("span", { class: `cca-key ${kind}` }), words);
  const part = panel("bars", "Each group", holder, legend);
  let last = null;
  holder.addEventListener("pointerleave", () => app.hover(null)); // a bar that was drawn anew tells of no leaving
  const draw = (W) => {
    const { record, others, group, hovered } = last, G = record.with.length, H = 268, left = 40, base = H - 34, room = 56;
    const bpp = (bits) => bits / record.pixels, gain = record.without.map((v, i) => v - record.with[i]), all = total(record.with);
    const every = [record, ...others], high = Math.max(...every.flatMap((r) => [...r.with, ...r.without].map((b) => b / r.pixels)), ...record.z.map(bpp));
    const Y = (v) => base - ((base - room) * v) / high, slot = (W - left) / G, wide = Math.min(34, slot * 0.26), thin = wide * 0.55;
    const hatch = hatching("var(--cca-soft)", "var(--cca-bg)");
    const groups = record.with.map((_, i) => {
      const x = left + slot * i + (slot - 2 * wide - thin - 10) / 2, a = bpp(record.with[i]), b = bpp(record.without[i]), z = record.z.length ? bpp(record.z[i]) : 0;
      const color = i === 0 ? "cca-error" : gain[i] < 0 ? "cca-cost" : "cca-gain", mid = left + slot * (i + 0.5), top = Y(Math.max(a, b, z, ...others.flatMap((r) => [r.with[i], r.without[i]]).map(bpp)));
      const xb = x + 2 * wide + 5, far = slot < 96;
      const words = [`${signed(bpp(gain[i]), slot < 66 ? 2 : 3)}${far ? "" : " bpp"}`, `${signed((100 * gain[i]) / all, 1)} %`, `${signed(gain[i] / 8, 0)} B`];
      return svg("g", { class: `cca-bar-group ${i === group ? "cca-now" : ""}`, "data-group": i + 1, onpointerenter: () => app.hover(i), onclick: () => { app.choose(i); app.focus(); } },
        svg("rect", { x: left + slot * i + 1, y: 2, width: slot - 2, height: H - 4, rx: 5, class: `cca-slot ${i === (hovered ?? group) ? "cca-lit" : ""}` }),
        svg("rect", { x, y: Y(a), width: wide, height: base - Y(a), class: "cca-bar-of cca-solid" }),
        svg("rect", { x: x + wide + 2, y: Y(b), width: wide, height: base - Y(b), class: "cca-bar-of cca-open" }),
        record.z.length ? svg("rect", { x: xb + 5, y: Y(z), width: thin, height: base - Y(z), class: "cca-z-only", style: `fill: ${hatch.fill}` }) : null,
        svg("g", { class: color }, svg("path", { d: `M${x + wide / 2},${Y(a)}H${xb + 2}M${x + wide * 1.5},${Y(b)}H${xb + 2}M${xb - 1},${Y(a)}V${Y(b)}` }),
          words.map((text, k) => svg("text", { x: mid, y: top - 37 + 14 * k, "text-anchor": "middle" }, text))),
        others.flatMap((r) => [[x + wide / 2, r.with[i]], [x + wide * 1.5 + 2, r.without[i]]].map(([cx, v]) => svg("circle", { cx, cy: Y(v / r.pixels), r: 3.2, class: "cca-seed" }))),
        svg("text", { x: mid, y: base + 16, "text-anchor": "middle", style: "font-weight: 650" }, `g${i + 1}`),
        svg("text", { x: mid, y: base + 29, "text-anchor": "middle", class: "soft" }, i === 0 ? "ruler's error" : far ? `by g${i}` : `bought by g${i}`));
    });
    holder.replaceChildren(svg("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, hatch.node,
      svg("text", { x: 0, y: 12, class: "soft" }, "bpp"),
      niceTicks(0, high, 4).map((v) => svg("g", {}, svg("line", { x1: left, x2: W, y1: Y(v), y2: Y(v), class: v ? "cca-gridline" : "cca-zero" }), svg("text", { x: left - 5, y: Y(v) + 4, "text-anchor": "end", class: "soft" }, String(v)))), groups));
  };
  const again = whenSized(holder, draw, cleanup);
  return { node: part.node, update: (s) => {
    last = s;
    part.about("bits per pixel; the bracket is what the group before bought");
    legend.replaceChildren(key("cca-solid", "with the group before"), key("cca-open", "without it"),
      ...(s.record.z.length ? [key("cca-hatched", "reading z only")] : []), ...(s.others.length ? [h("span", { class: "cca-legend-item" }, h("span", { class: "cca-dots-key" }, "○ "), "other seeds")] : []));
    again();
  } };
}

/** The sums over groups, and that single gains don't add up to the value of all context. */
function totalsView() {
  const rows = h("div", { class: "cca-totals" });
  const part = panel("totals", "All groups", rows);
  const update = ({ record }) => {
    const sums = [["cca-solid", "with", total(record.with)], ["cca-open", "each without its previous", total(record.without)]];
    if (record.z.length) sums.push(["cca-hatched", "reading z only", total(record.z)]);
    const high = Math.max(...sums.map(([, , v]) => v));
    const later = (list) => total(list.slice(1)), bytes = (bits) => grouped((bits / 8).toFixed(0)); // the first group's is an error, no gain
    const gains = `The gains of g2 … g${record.with.length} add up to ${bytes(later(record.without) - later(record.with))} bytes.`;
    rows.replaceChildren(...sums.map(([kind, words, bits]) => h("div", { class: "cca-total-row" }, h("span", { class: "cca-total-name" }, words),
      h("span", { class: "cca-total-track" }, h("i", { class: kind, style: `width: ${(100 * bits) / high}%` })), h("span", { class: "cca-total-value" }, `${(bits / record.pixels).toFixed(3)} bpp`))),
    h("p", { class: "cca-caption" }, record.z.length
      ? `${gains} All context together is worth ${bytes(later(record.z) - later(record.with))} bytes there: that is another question, so it has a fit of its own.`
      : `${gains} That is not the value of all context, which needs a fit that reads z only.`));
  };
  return { node: part.node, update };
}

/** How many latents gained how much; the left of zero is what the group before cost. */
function histogramView(app, cleanup) {
  const holder = h("div"), caption = h("div", { class: "cca-caption" });
  const part = panel("histogram", "Each latent", holder, caption);
  let last = null;
  const draw = (W) => {
    const { counts, edges } = last;
    if (!counts) { holder.replaceChildren(); return; }
    const H = 150, left = 44, base = H - 32, top = 12, high = Math.log10(1 + Math.max(...counts)), from = edges[0], to = edges[edges.length - 1];
    const X = (v) => left + ((W - left - 4) * (v - from)) / (to - from), Y = (n) => base - ((base - top) * Math.log10(1 + n)) / high, hatch = hatching("rgba(0,0,0,.55)", "var(--cca-cost)");
    holder.replaceChildren(svg("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, hatch.node,
      [1, 10, 100, 1000, 10000, 100000].filter((n) => Math.log10(1 + n) <= high).map((n) => svg("g", {}, svg("line", { x1: left, x2: W - 4, y1: Y(n), y2: Y(n), class: "cca-gridline" }), svg("text", { x: left - 5, y: Y(n) + 4, "text-anchor": "end", class: "soft" }, thousands(n)))),
      counts.map((n, i) => {
        const mid = (edges[i] + edges[i + 1]) / 2, fill = Math.abs(mid) < 1e-6 ? "var(--cca-soft)" : mid < 0 ? hatch.fill : "var(--cca-gain)";
        return svg("rect", { x: X(edges[i]) + 0.5, y: Y(n), width: Math.max(X(edges[i + 1]) - X(edges[i]) - 1, 1), height: base - Y(n), style: `fill: ${fill}` });
      }),
      svg("line", { x1: X(0), x2: X(0), y1: top - 4, y2: base, class: "cca-zero" }), svg("line", { x1: left, x2: W - 4, y1: base, y2: base, class: "cca-zero" }),
      [-12, -8, -4, 0, 4, 8, 12].map((v) => svg("text", { x: X(v), y: base + 14, "text-anchor": "middle", class: "soft" }, Math.abs(v) === 12 ? `${v < 0 ? "≤ −" : "≥ "}12` : String(v).replace("-", "−"))),
      svg("text", { x: left, y: H - 4, class: "soft" }, "← cost"), svg("text", { x: W - 4, y: H - 4, "text-anchor": "end", class: "soft" }, "bits bought per latent →")));
  };
  const again = whenSized(holder, draw, cleanup);
  const update = ({ record, shown, edges }) => {
    last = { counts: record.counts.length ? record.counts[shown] : null, edges };
    part.about(last.counts ? `how many of g${shown + 1}'s ${thousands(total(last.counts))} latents gained how much` : "");
    caption.textContent = !last.counts ? "Only rates are known here: no gains of single latents."
      : shown === 0 ? `${Math.round(100 * record.negative[0])} % negative: the error of two equal fits.`
      : `${Math.round(100 * record.negative[shown])} % of them cost more with g${shown} than without (hatched). The scale of counts is logarithmic.`;
    again();
  };
  return { node: part.node, update };
}

/** The gain map of the group that is hovered or chosen, over the photograph; a click chooses a cell. */
function gainMapView(app, palette, chooseCell) {
  const box = photoBox(), hover = svg("g"), mark = svg("g"), chip = h("span", { class: "cca-chip", style: "left: 6px; top: 6px" });
  const missing = h("div", { class: "cca-no-photo" }, "No map here: only rates are known."), legend = h("div", { class: "cca-legend-line" });
  const part = panel("map", "Where", box.node, missing, legend);
  box.over.append(hover, mark);
  box.node.append(chip);
  const differs = memory();
  let cells = null, last = null, at = null;
  const tellCell = () => {
    const [column, row] = at || [last.column, last.row], value = last.map ? last.map[(row * last.width) / 16 + column] : 0;
    chip.textContent = `cell ${column}, ${row}: ${twoDecimals(value).replace("-", "−")} bits ${last.shown ? (value < 0 ? "(cost)" : "bought") : "(error)"}`;
    hover.replaceChildren(...(at ? [outlineOf(...at, true)] : []));
  };
  box.node.addEventListener("pointermove", (event) => { at = box.cellAt(event); tellCell(); });
  box.node.addEventListener("pointerleave", () => { at = null; tellCell(); });
  box.node.addEventListener("click", (event) => { chooseCell(...box.cellAt(event)); app.focus(); });
  const update = (s) => {
    last = s;
    const seen = Boolean(s.map && s.address);
    box.node.style.display = seen ? "" : "none";
    missing.style.display = seen ? "none" : "";
    part.about(s.shown ? `bits that g${s.shown} bought for g${s.shown + 1}, by cell` : "the ruler's error in g1, by cell");
    legend.replaceChildren();
    if (!seen) return;
    box.show(s);
    box.node.style.display = "";
    if (!cells || cells.node.width !== s.width / 2 || cells.node.height !== s.height / 2) {
      if (cells) cells.node.remove();
      cells = cellCanvas(s.width / 16, s.height / 16, palette);
      box.image.after(cells.node);
      differs();
    }
    const top = quantile(s.map, 0.995);
    box.mute("gain");
    if (differs(s.record.map, s.shown)) cells.paint(s.map, "gain", top);
    mark.replaceChildren(...crosshair(s.column, s.row, s.width, s.height, false));
    const far = `${twoDecimals(top)} bits`;
    legend.replaceChildren(scaleBar("gain", palette, `−${far} (hatched: cost)`, `+${far}`), ` · sum ${grouped(total([...s.map]).toFixed(0)).replace("-", "−")} bits`);
    tellCell();
  };
  return { node: part.node, update };
}

/** A slider over the steps of a training; nothing where there is only one. */
function scrubber(steps, go, app, cleanup) {
  if (steps.length < 2) return { node: null, update: () => {} };
  const label = h("span", { class: "cca-scrub-label" }), rail = h("span", { class: "cca-scrub-rail" });
  const last = steps.length - 1, edge = 12;
  let width = 100, at = 0;
  const X = (i) => edge + ((width - 2 * edge) * i) / last;
  const again = whenSized(rail, (now) => {
    width = now;
    rail.replaceChildren(svg("svg", { width, height: 30, viewBox: `0 0 ${width} 30`, "aria-hidden": "true" }, svg("line", { x1: X(0), x2: X(last), y1: 15, y2: 15, class: "cca-rail-line" }),
      steps.map((_, i) => svg("circle", { cx: X(i), cy: 15, r: 3.5, class: "cca-stop" })), svg("circle", { cx: X(at), cy: 15, r: 9, class: "cca-knob" })));
  }, cleanup);
  draggable(rail, app, (x) => go(clamp(Math.round(((x * width - edge) / (width - 2 * edge)) * last), 0, last)));
  const update = (i) => { at = Math.max(i, 0); label.textContent = `step ${thousands(steps[at])}`; again(); };
  return { node: h("div", { class: "cca-scrub" }, label, rail), update };
}
