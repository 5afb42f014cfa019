// The inspector's first three views: where (photograph), when (decode order), which (channels of this cell).

const HEATS = [["off", () => "off"], ["channel", () => "this channel"], ["group", (g) => `g${g + 1}`], ["all", () => "whole file"],
  ["bought", (g) => (g ? `bought by g${g}` : "ruler's error")]];

/** Photograph, heat map, crosshair. */
function whereView(app, cleanup) {
  const { model, latents } = app, palette = asBytes(model.get("palette"));
  const heat = cellCanvas(latents.columns, latents.rows, palette), box = photoBox(heat.node);
  const chip = h("span", { class: "cca-chip" }), hover = svg("g"), mark = svg("g");
  box.over.append(hover, mark);
  box.node.append(chip);
  box.show({ address: addressOf(model.get("picture"), model.get("mime"), cleanup), width: model.get("width"), height: model.get("height") });
  const buttons = HEATS.map(([kind]) => h("button", { type: "button", class: "cca-button", role: "radio", tabindex: "-1", onclick: () => { app.put("heat", kind); app.focus(); } }));
  const legend = h("div", { class: "cca-legend-line" });
  const part = panel("where", "Where?", box.node, h("div", { class: "cca-bar", role: "radiogroup", "aria-label": "heat map" }, h("span", { class: "cca-bar-label" }, "bits of:"), buttons), legend);

  const at = { cell: null };
  let last = null;
  const tell = () => {
    const s = last, values = s.heat === "off" || s.asked ? null : latents.map(s.heat, s.channel).values;
    const [column, row] = at.cell || [s.column, s.row];
    chip.textContent = `cell ${column}, ${row}` + (values ? `: ${twoDecimals(values[row * latents.columns + column])} bits` : "");
    chip.style.cssText = column > latents.columns / 2 ? "left: 6px; top: 6px" : "right: 6px; top: 6px";
    hover.replaceChildren(...(at.cell ? [outlineOf(column, row, true)] : []));
  };
  box.node.addEventListener("pointermove", (event) => { at.cell = box.cellAt(event); tell(); });
  box.node.addEventListener("pointerleave", () => { at.cell = null; tell(); });
  box.node.addEventListener("click", (event) => { const [column, row] = box.cellAt(event); app.choose({ column, row }); app.focus(); });

  const differs = memory();
  const drawHeat = (s) => {
    HEATS.forEach(([kind, label], i) => {
      buttons[i].textContent = label(s.group);
      buttons[i].setAttribute("aria-checked", String(kind === s.heat));
    });
    if (s.heat === "off" || s.asked) {
      box.mute(null);
      heat.paint(null);
      legend.textContent = s.asked ? "" : "The photograph itself.";
      return;
    }
    const { values, sum, top } = latents.map(s.heat, s.channel), kind = s.heat === "bought" ? "gain" : "bits";
    box.mute(kind);
    heat.paint(values, kind, top);
    const far = `${twoDecimals(top)} bits a cell`;
    const whose = { channel: "this channel's bits", group: `g${s.group + 1}'s bits`, all: "all latents' and z's bits", bought: s.group ? `bits bought by g${s.group}` : "the ruler's error in bits" }[s.heat];
    legend.replaceChildren(scaleBar(kind, palette, kind === "bits" ? "0" : `≤ −${twoDecimals(top)} (hatched)`, `≥ ${far}`), ` · sum ${twoDecimals(sum)} = ${whose}`);
  };
  const update = (s) => {
    last = s;
    mark.replaceChildren(...crosshair(s.column, s.row, model.get("width"), model.get("height"), Boolean(s.asked)));
    if (differs(s.heat, s.group, s.heat === "channel" ? s.channel : "", Boolean(s.asked))) drawHeat(s);
    part.about(`column ${s.column}, row ${s.row}: a cell of 16×16 pixels`);
    tell();
  };
  return { node: part.node, update };
}

/** What is known before group `g` (from 0), in words. */
const knownGroups = (g) => ["z", "z and g1", "z, g1 and g2"][g] || `z and g1 … g${g}`;

/** Decode order: what is known when this group is decoded. */
function whenView(app, cleanup) {
  const { model, latents } = app, bytes = model.get("segments"), colors = model.get("colors");
  const holder = h("div", { class: "cca-strip" });
  const part = panel("when", "When?", holder);
  const widths = [model.get("hyper") / 16, ...latents.sizes]; // z in channels of y
  const total = widths.reduce((a, b) => a + b, 0);
  let last = null;
  const draw = (W) => {
    const s = last, count = widths.length, bar = { y: 2, h: 26 }, card = { y: 42, h: 62, gap: 5 };
    const wide = (W - card.gap * (count - 1)) / count, later = hatching("var(--cca-line)", "var(--cca-panel)"), gone = hatching("var(--cca-soft)", "var(--cca-bg)");
    let start = 0;
    const parts = widths.map((width, i) => {
      const x = (W * start) / total, w = (W * width) / total - 1.5, cx = i * (wide + card.gap), g = i - 1;
      start += width;
      const now = g === s.group, before = g === s.group - 1 && g >= 0, past = g < s.group, read = past && (s.previous || !before);
      const fill = now ? "var(--cca-bg)" : read ? colors[i] : before ? gone.fill : later.fill;
      const word = now ? "being decoded" : before ? (s.previous ? "the one before" : "switched off") : past ? "decoded" : "later";
      const kind = now ? "cca-now" : before ? "cca-before" : past ? "cca-past" : "cca-later";
      return svg("g", { class: `cca-step ${kind}`, "data-group": i, onclick: () => { if (i) app.chooseGroup(g); app.focus(); } },
        svg("path", { d: `M${x},${bar.y + bar.h}L${cx},${card.y}H${cx + wide}L${x + w},${bar.y + bar.h}Z`, style: `fill: ${colors[i]}`, opacity: now || before ? ".4" : ".14" }),
        svg("rect", { x, y: bar.y, width: Math.max(w, 2), height: bar.h, style: `fill: ${fill}`, class: "cca-block" }),
        svg("rect", { x: cx, y: card.y, width: wide, height: card.h, rx: 4, class: "cca-step-card" }),
        svg("text", { x: cx + wide / 2, y: card.y + 16, "text-anchor": "middle", style: "font-weight: 650" }, i ? `g${i}` : "z", svg("tspan", { class: "soft", style: "font-weight: 400" }, wide > 92 ? ` ${i ? `${width} channels` : "side info"}` : i && wide > 58 ? ` ${width} ch` : "")),
        svg("text", { x: cx + wide / 2, y: card.y + 34, "text-anchor": "middle" }, `${thousands(bytes[i])} B`),
        svg("text", { x: cx + wide / 2, y: card.y + 52, "text-anchor": "middle", class: "cca-word" }, wide > 84 ? word : { "being decoded": "now", "the one before": "before", "switched off": "off" }[word] || word));
    });
    holder.replaceChildren(svg("svg", { width: W, height: card.y + card.h + 2, viewBox: `0 0 ${W} ${card.y + card.h + 2}`, "aria-hidden": "true" }, later.node, gone.node, parts));
  };
  const again = whenSized(holder, draw, cleanup), differs = memory();
  const update = (s) => {
    last = s;
    if (!differs(s.group, s.previous)) return;
    part.about(s.group ? `while g${s.group + 1} is decoded, ${knownGroups(s.group)} are known` : "g1 is decoded first: only z is known");
    again();
  };
  return { node: part.node, update };
}

/** Channels of this group in this cell, costliest first; below the line what the group before bought each. */
function whichView(app, cleanup) {
  const { latents } = app, holder = h("div", { class: "cca-channels" }), caption = h("div", { class: "cca-caption" });
  const part = panel("which", "Which number?", holder, caption);
  let last = null, hovered = null, place = null;
  const describe = (channel) => {
    const at = latents.index(channel, last.row, last.column), gain = latents.gain(at), g = last.group;
    const verdict = g === 0 ? `ruler's error ${twoDecimals(gain)}` : `g${g} ${gain < 0 ? "cost" : "bought"} ${twoDecimals(Math.abs(gain))}`;
    return `channel ${channel - latents.first[g] + 1}: ${twoDecimals(latents.bitsOf(at))} bits paid, ${verdict}`;
  };
  const draw = (W) => {
    const s = last, order = app.order(s), at = order.map((c) => latents.index(c, s.row, s.column));
    const paid = at.map(latents.bitsOf), gains = at.map(latents.gain);
    const left = 34, top = 16, up = Math.max(1, ...paid), down = Math.max(0.5, ...gains.map(Math.abs)), H = 176;
    const scale = (H - top - 20) / (up + down), zero = top + up * scale, wide = (W - left - 2) / order.length;
    const X = (i) => left + i * wide, bad = hatching("rgba(0,0,0,.55)", "var(--cca-cost)");
    const chosen = order.indexOf(s.channel);
    const step = [0.5, 1, 2, 5, 10, 20].find((v) => v * scale > 22) || 50;
    const ticks = [];
    for (let v = -Math.floor(down / step) * step; v <= up; v += step) ticks.push(v);
    const bars = order.map((channel, i) => svg("g", { class: channel === s.channel ? "cca-chosen-bar" : "" },
      svg("rect", { x: X(i), y: zero - paid[i] * scale, width: Math.max(wide - 0.8, 0.8), height: paid[i] * scale, class: "cca-paid" }),
      svg("rect", { x: X(i), y: zero, width: Math.max(wide - 0.8, 0.8), height: Math.abs(gains[i]) * scale, style: `fill: ${gains[i] < 0 ? bad.fill : "var(--cca-gain)"}` })));
    const spot = svg("rect", { y: top, width: wide, height: H - top - 18, class: "cca-spot", visibility: "hidden" });
    const mid = clamp(X(chosen) + wide / 2, left + 10, W - 10);
    holder.replaceChildren(svg("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, bad.node,
      svg("rect", { x: X(chosen) - 1, y: top - 2, width: Math.max(wide + 1, 4), height: H - top - 16, class: "cca-chosen-band" }),
      ticks.map((v) => svg("g", {}, svg("line", { x1: left, x2: W, y1: zero - v * scale, y2: zero - v * scale, class: v ? "cca-gridline" : "cca-zero" }),
        svg("text", { x: left - 5, y: zero - v * scale + 4, "text-anchor": "end", class: "soft" }, String(Math.abs(v))))),
      bars, spot,
      svg("text", { x: W, y: top + 10, "text-anchor": "end", class: "soft" }, "↑ bits paid in the file"),
      svg("text", { x: W, y: H - 5, "text-anchor": "end", class: "soft" }, s.group ? `↓ bits bought by g${s.group}; hatched: cost` : "↓ the ruler's error"),
      svg("text", { x: left, y: H - 5, class: "soft" }, "costliest first"),
      svg("text", { x: mid, y: top - 5, "text-anchor": "middle", style: "font-weight: 650" }, `${s.channel - latents.first[s.group] + 1}`)));
    place = { X, wide, left, order, spot };
    caption.textContent = describe(hovered ?? s.channel);
  };
  const channelAt = (event) => {
    const i = Math.floor((event.clientX - holder.getBoundingClientRect().left - place.left) / place.wide);
    return place.order[clamp(i, 0, place.order.length - 1)];
  };
  holder.addEventListener("pointermove", (event) => {
    if (!place) return;
    hovered = channelAt(event);
    place.spot.setAttribute("x", place.X(place.order.indexOf(hovered)));
    place.spot.setAttribute("visibility", "visible");
    caption.textContent = describe(hovered);
  });
  holder.addEventListener("pointerleave", () => {
    hovered = null;
    if (place) place.spot.setAttribute("visibility", "hidden");
    caption.textContent = describe(last.channel);
  });
  holder.addEventListener("click", (event) => { if (place) app.choose({ channel: channelAt(event) }); app.focus(); });
  const again = whenSized(holder, draw, cleanup);
  const update = (s) => {
    last = s;
    if (hovered !== null && latents.groupOf(hovered) !== s.group) hovered = null;
    const from = latents.first[s.group];
    part.about(`channel ${s.channel - from + 1} of g${s.group + 1}'s ${latents.sizes[s.group]} in this cell`);
    again();
  };
  return { node: part.node, update };
}
