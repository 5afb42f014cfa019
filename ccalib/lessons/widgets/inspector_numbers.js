// The inspector's other three views: how likely (number line), from what (support), how much (ledger).

/** P of every symbol with the group before (filled) and without it (outlined); what was coded is marked. */
function likelyView(app, cleanup) {
  const { latents } = app, holder = h("div", { class: "cca-line" }), table = h("table", { class: "cca-readout" });
  const before = h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { app.put("previous", !app.selection().previous); app.focus(); } });
  let linear = false, last = null;
  const scaleButton = h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { linear = !linear; again(); app.focus(); } });
  const part = panel("likely", "How likely?", holder, h("div", { class: "cca-bar", style: "margin-top: 2px" }, before, scaleButton), table,
    h("div", { class: "cca-caption" }, "The ruler: two models fitted alike to the latents of this codec; one reads the group before, one does not. Each rounds around its own mean, so symbols may differ."));

  const draw = (W) => {
    const s = last, [file, now, other] = ACCOUNTS.map((name) => latents.entry(name, s.at));
    const H = 196, left = 52, right = 36, gutter = 54, top = 18, bottom = 50, floor = H - bottom;
    const half = Math.max(3.2, 4 * Math.max(now.scale, other.scale));
    const coded = [file, now, other].map((one) => one.mean + one.symbol);
    const low = Math.min(Math.min(now.mean, other.mean) - half, ...coded.map((v) => v - 1)), high = Math.max(Math.max(now.mean, other.mean) + half, ...coded.map((v) => v + 1));
    const X = (v) => left + ((W - left - right - gutter) * (v - low)) / (high - low);
    const deepest = Math.max(17, Math.ceil(Math.max(file.bits, now.bits, other.bits)) + 1);
    const most = Math.max(2 ** -now.bits, 2 ** -other.bits, ...[now, other].map((one) => 2 ** -latents.coder.bits(one.level, 0)));
    const Y = (bits) => (linear ? floor - ((floor - top) * 2 ** -bits) / most : top + ((floor - top) * Math.min(bits, deepest)) / deepest);
    /** The outline of all symbols' bars; where bars are thinner than a pixel, some stand for many. */
    const hill = (one) => {
      const from = Math.floor(low - one.mean), to = Math.ceil(high - one.mean), skip = Math.max(1, Math.ceil((to - from) / (W / 2)));
      let d = "", open = false;
      for (let k = from; k <= to; k += skip) {
        const [a, b] = [k - 0.5, k - 0.5 + skip].map((v) => clamp(X(one.mean + v), left, W - right - gutter).toFixed(1));
        if (latents.coder.known(one.level, k)) {
          d += `${open ? "" : `M${a},${floor}`}V${Y(latents.coder.bits(one.level, k)).toFixed(1)}H${b}`;
          open = true;
        } else if (open) {
          d += `V${floor}`;
          open = false;
        }
      }
      return open ? `${d}V${floor}` : d;
    };
    const bar = (one, kind) => {
      const a = X(one.mean + one.symbol - 0.5), y = Math.min(Y(one.bits), floor - 2);
      return svg("rect", { x: a, y, width: Math.max(X(one.mean + one.symbol + 0.5) - a, 2.5), height: floor - y, class: `cca-bar-of ${kind}` });
    };
    const levels = linear ? niceTicks(0, most, 4).map((p) => [Y(-Math.log2(p || 1e-12)), String(p), p ? `${Number((-Math.log2(p)).toFixed(1))}` : "∞"])
      : Array.from({ length: Math.floor(deepest / 4) + 1 }, (_, i) => [Y(4 * i), i ? i < 5 ? `1/${thousands(2 ** (4 * i))}` : `2⁻${String(4 * i).replace(/./g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])}` : "1", String(4 * i)]);
    const [ya, yb] = [Y(now.bits), Y(other.bits)], gain = latents.gain(s.at), xg = W - right - gutter + 10;
    const from = X(file.mean + file.symbol - 0.5), to = Math.max(X(file.mean + file.symbol + 0.5), from + 3), mid = clamp((from + to) / 2, 125, W - 125);
    const filled = s.previous ? now : other;
    holder.replaceChildren(svg("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" },
      svg("text", { x: 0, y: 11, class: "soft" }, "P"), svg("text", { x: W, y: 11, "text-anchor": "end", class: "soft" }, "bits"),
      levels.map(([y, p, bits]) => svg("g", {}, svg("line", { x1: left, x2: W - right, y1: y, y2: y, class: "cca-gridline" }),
        svg("text", { x: left - 5, y: y + 4, "text-anchor": "end", class: "soft" }, p), svg("text", { x: W - right + 6, y: y + 4, class: "soft" }, bits))),
      svg("path", { d: hill(filled), class: "cca-filled" }), bar(filled, "cca-solid"),
      s.previous ? [svg("path", { d: hill(other), class: "cca-outlined" }), bar(other, "cca-open")] : null,
      svg("line", { x1: left, x2: W - right, y1: floor, y2: floor, class: "cca-zero" }),
      niceTicks(low, high, Math.max(3, W / 80)).map((v) => svg("text", { x: X(v), y: floor + 15, "text-anchor": "middle", class: "soft" }, String(v))),
      svg("path", { d: `M${from},${floor + 19}v6H${to}v-6`, class: "cca-coded" }),
      svg("text", { x: mid, y: floor + 38, "text-anchor": "middle", class: "cca-coded-text" }, `the file codes this interval: symbol ${file.symbol}`),
      s.previous && Math.abs(ya - yb) > 6 ? svg("g", { class: gain < 0 ? "cca-cost" : "cca-gain" },
        svg("path", { d: `M${xg - 5},${ya}h10M${xg - 5},${yb}h10M${xg},${ya}V${yb}` }),
        svg("text", { x: xg + 7, y: (ya + yb) / 2 + 4 }, twoDecimals(Math.abs(gain)))) : null));
  };
  const again = whenSized(holder, draw, cleanup);
  const update = (s) => {
    last = s;
    const g = s.group, [file, now, other] = ACCOUNTS.map((name) => latents.entry(name, s.at)), gain = latents.gain(s.at);
    const row = (kind, words, one) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: `cca-key ${kind}`, "aria-hidden": "true" }), words),
      [String(one.symbol), one.mean.toFixed(2), one.scale.toPrecision(2), probability(one.bits), twoDecimals(one.bits)].map((text) => h("td", {}, text)));
    const names = g ? [`ruler, with g${g}`, `ruler, without g${g}`] : ["ruler, first fit", "ruler, second fit"];
    const verdict = g === 0 ? ["", "no group before: the ruler's error"] : gain < 0 ? ["cca-cost", `g${g} misled: it cost`] : ["cca-gain", `g${g} bought`];
    table.replaceChildren(h("thead", {}, h("tr", {}, ["", "symbol", "mean", "scale", "P", "bits"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, row("cca-coded", "in the file", file), row(s.previous ? "cca-solid" : "cca-none", names[0], now), row(s.previous ? "cca-open" : "cca-solid", names[1], other),
        h("tr", { class: `cca-verdict-row ${verdict[0]}` }, h("th", { scope: "row", colspan: "5" }, verdict[1]), h("td", {}, twoDecimals(g ? Math.abs(gain) : gain)))));
    before.textContent = g ? `g${g} may be read: ${s.previous ? "yes" : "no"}` : "no group before g1";
    before.disabled = g === 0;
    before.setAttribute("aria-pressed", String(s.previous));
    scaleButton.textContent = linear ? "axis: P, linear" : "axis: P, logarithmic";
    part.about(g ? (s.previous ? `filled: the ruler reads g${g}; outlined: it does not` : `filled: the ruler does not read g${g}`) : s.previous ? "nothing but z to predict from; two fits of the ruler" : "nothing but z to predict from; the second fit of the ruler");
    again();
  };
  return { node: part.node, update };
}

/** What the prediction may read beside what it reads, as gradients on a log scale. */
function supportView(app, cleanup) {
  const { model, latents } = app, palette = asBytes(model.get("palette")), count = latents.sizes.length + 1;
  const known = new Map(), learn = (bytes) => { const data = asBytes(bytes), view = new DataView(data.buffer, data.byteOffset, 6); known.set([0, 2, 4].map((at) => view.getUint16(at, true)).join(), data.subarray(6)); };
  model.get("supports").forEach(learn);
  if (asBytes(model.get("answer")).length) learn(model.get("answer")); // what another view of it asked for
  const wide = latents.columns, high = latents.rows, reach = 6, near = 2 * reach + 1;
  const canvas = (w, k) => h("canvas", { width: w, height: k, class: "cca-map", "aria-hidden": "true" });
  const names = Array.from({ length: count }, (_, i) => (i ? `g${i}` : "z"));
  const columns = names.map((name) => ({ head: h("th", { scope: "col" }, name), allowed: canvas(wide, high), used: canvas(wide, high), enlarged: canvas(near, near), cells: [] }));
  const line = (words, key) => h("tr", {}, h("th", { scope: "row" }, words), columns.map((one) => { const cell = h("td", {}, one[key]); one.cells.push(cell); return cell; }));
  const status = h("div", { class: "cca-caption" });
  const part = panel("from", "From what?", h("table", { class: "cca-support" }, h("thead", {}, h("tr", {}, h("td"), columns.map((one) => one.head))),
    h("tbody", {}, line("allowed", "allowed"), line("used", "used"), line("enlarged", "enlarged"))), status);
  let timer = null, asked = 0, waiting = "";
  cleanup.add(() => clearTimeout(timer));

  /** Color every pixel of a canvas: color(x, y) gives [red, green, blue] or null. */
  const paint = (node, color) => {
    const image = new ImageData(node.width, node.height);
    for (let y = 0, i = 0; y < node.height; y++) for (let x = 0; x < node.width; x++, i += 4) { const c = color(x, y); if (c) image.data.set([...c, 255], i); }
    node.getContext("2d").putImageData(image, 0, 0);
  };
  const nothing = () => null, MARK = [255, 176, 0], MAY = [125, 139, 160], differs = memory();
  const update = (s) => {
    const key = [s.column, s.row, s.channel].join(), found = known.get(key), g = s.group;
    const readable = (i) => i <= g && (i === 0 || i !== g || s.previous); // i: 0 is z, 1 is g1 ...
    if (!differs(key, Boolean(found), s.previous)) return;
    let at = 0, largest = 0, reads = 0;
    columns.forEach((one, i) => {
      const ok = readable(i), later = i > g, z = i === 0, w = z ? wide / 4 : wide, k = z ? high / 4 : high;
      const maps = found && !later ? found.subarray(at, at + w * k) : null;
      if (!later) at += w * k;
      one.cells.forEach((cell) => { cell.classList.toggle("cca-later", later); cell.classList.toggle("cca-switched-off", !later && !ok); });
      one.head.className = i === g + 1 ? "cca-now" : i === g && i > 0 ? "cca-before" : "";
      const value = (x, y) => (maps && x >= 0 && y >= 0 && x < wide && y < high ? maps[z ? Math.floor(y / 4) * w + Math.floor(x / 4) : y * w + x] : 0);
      if (maps && ok) maps.forEach((v) => { largest = Math.max(largest, v); if (v && !z) reads += 1; });
      const shade = (v) => (v ? bitsColor(palette, (v - 60) / 130) : null); // 2^-12.5 to 2^3.6 per unit
      paint(one.allowed, ok ? (x, y) => (Math.abs(x - s.column) < 2 && Math.abs(y - s.row) < 2 ? MARK : MAY) : nothing);
      paint(one.used, ok && maps ? (x, y) => shade(value(x, y)) : nothing);
      paint(one.enlarged, ok && maps ? (x, y) => shade(value(s.column + x - reach, s.row + y - reach)) : nothing);
    });
    const earlier = s.previous ? g : Math.max(g - 1, 0); // groups that may be read
    part.about(earlier ? `the mean of this latent may read ${knownGroups(earlier)}, everywhere` : "the mean of this latent may read z only");
    status.classList.toggle("cca-pending", !found);
    const gradient = largest ? ` The strongest: ${Number((2 ** ((largest - 1) / 8 - 20)).toPrecision(2))} per unit.` : "";
    if (found) status.textContent = `|∂μ/∂ŷ|, summed over channels, on a log scale. ${earlier ? `Allowed: ${thousands(earlier * wide * high)} places in earlier groups; used: ${thousands(reads)}.` : ""}${gradient}`;
    else if (waiting !== key) {
      waiting = key;
      asked = performance.now();
      status.textContent = "gradients: pending …";
      clearTimeout(timer);
      timer = setTimeout(() => {
        app.ask([s.column, s.row, s.channel]);
        timer = setTimeout(() => { if (waiting === key) status.textContent = "gradients: no answer yet. They need a running kernel; without one, the tour's six latents have theirs."; }, 2500);
      }, 120);
    }
    if (found) { waiting = ""; clearTimeout(timer); }
  };
  app.onAnswer((bytes) => { learn(bytes); status.dataset.ms = String(Math.round(performance.now() - asked)); app.refresh(); });
  return { node: part.node, update };
}

/** From this latent to the file, in bits and bytes that add up. */
function ledgerView(app) {
  const { model, latents } = app, body = h("tbody"), table = h("table", { class: "cca-ledger" }, body);
  const part = panel("much", "How much?", table);
  const bytes = model.get("segments"), payload = bytes.reduce((a, b) => a + b, 0), file = payload + model.get("header");
  const update = (s) => {
    const g = s.group, own = latents.map("channel", s.channel).sum, whole = latents.map("group", s.channel).sum;
    const bits = latents.bitsOf(s.at), segment = bytes[g + 1], shown = Number(whole.toFixed(2));
    const row = (kind, words, value, unit, share) => h("tr", { class: kind }, h("th", { scope: "row" }, words), h("td", {}, value), h("td", { class: "cca-unit" }, unit),
      h("td", { class: "cca-share" }, share === null ? null : h("span", { title: `${(100 * share || 0).toPrecision(2)} %` }, h("i", { style: `width: ${Math.max(100 * share || 0, 0.5)}%` }))));
    body.replaceChildren(
      row("cca-sum-row", "this latent", twoDecimals(bits), "bits", null),
      row("", `its channel: ${thousands(latents.cells)} latents`, twoDecimals(own), "bits", bits / own),
      row("", `its group g${g + 1}: ${latents.sizes[g]} channels`, twoDecimals(whole), "bits", own / whole),
      row("cca-plus", "+ coder overhead", twoDecimals(8 * segment - shown), "bits", null),
      row("cca-sum-row", `= segment g${g + 1}, ${thousands(8 * segment)} bits`, thousands(segment), "bytes", whole / 8 / segment),
      row("cca-plus", `+ other segments: ${bytes.map((b, i) => (i === g + 1 ? "" : `${i ? `g${i}` : "z"} ${thousands(b)}`)).filter(Boolean).join(" + ")}`, thousands(payload - segment), "bytes", null),
      row("cca-plus", "+ header", thousands(model.get("header")), "bytes", null),
      row("cca-sum-row cca-total", "= the file", thousands(file), "bytes", segment / file));
    part.about(`${twoDecimals(bits)} bits of ${thousands(8 * file)}; a bar shows how much of its line the line before it is`);
  };
  return { node: part.node, update };
}
