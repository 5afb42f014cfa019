// Rate-distortion curves: a tooltip for each point, an anchor to choose, BD-rates counted here, the area between drawn.

const RATE_METRICS = { psnr: "PSNR", ms_ssim: "MS-SSIM" };
const RATE_KINDS = { live: "run here", sourced: "from the literature" };
const RATE_TITLES = { live: "run here: bytes of real files", sourced: "from the literature: not run here" };
const RATE_MARKS = { o: "M-4,0a4,4 0 1 0 8,0a4,4 0 1 0 -8,0z", s: "M-3.6,-3.6h7.2v7.2h-7.2z", "^": "M0,-5L4.6,3.6H-4.6z", v: "M0,5L4.6,-3.6H-4.6z",
  D: "M0,-5L5,0L0,5L-5,0z", P: "M-1.7,-4.6h3.4v2.9h2.9v3.4h-2.9v2.9h-3.4v-2.9h-2.9v-3.4h2.9z", X: "M-4,-2L-2,-4L0,-2L2,-4L4,-2L2,0L4,2L2,4L0,2L-2,4L-4,2L-2,0z", "": "M-2.4,0a2.4,2.4 0 1 0 4.8,0a2.4,2.4 0 1 0 -4.8,0z" };
let ratePlots = 0;
const signed = (v) => `${v.toFixed(1) >= 0 ? "+" : "\u2212"}${Math.abs(v).toFixed(1)} %`;

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const { body, save, say } = frame(model, el, { cleanup,
      keys: "Hover or ← →: point · ↑ ↓: curve · A: as anchor · L: linear, log · M: PSNR, MS-SSIM · Space: hide, show" });
    const id = `cca-rate-${(ratePlots += 1)}`, curves = model.get("curves"), limits = model.get("limits");
    const tone = (c, what) => `${what}: ${c.light}; ${what}: light-dark(${c.light}, ${c.dark})`;
    const sort = (c) => (c.kind === "sourced" ? " cca-sourced" : "");
    const points = (i) => curves[i].bpp.map((rate, k) => [rate, curves[i][model.get("metric")][k]]).filter(([, db]) => db !== undefined);
    const drawn = (i) => points(i).length > 0 && !model.get("hidden").includes(i);

    const picture = svg("svg", { "aria-hidden": "true" }), tip = h("div", { class: "cca-rate-tip" });
    const stage = h("div", { class: "cca-focus cca-rate", role: "slider", tabindex: "0", "aria-label": "rate-distortion curves", "aria-valuemin": "1" }, picture, tip);
    const toggle = (trait, values, labels) => labels.map((label, k) => h("button", { type: "button", class: "cca-button", role: "radio", tabindex: "-1",
      onclick: () => { save(trait, values[k]); stage.focus(); } }, label));
    const scales = toggle("log", [false, true], ["linear rate", "log rate"]), metrics = toggle("metric", Object.keys(RATE_METRICS), Object.values(RATE_METRICS));
    const chooser = h("select", { class: "cca-rate-anchor", tabindex: "-1", "aria-label": "anchor", onchange: () => save("anchor", Number(chooser.value)) },
      h("option", { value: "-1" }, "none"), curves.map((c, i) => h("option", { value: String(i) }, c.name)));
    const group = (label, buttons) => h("span", { class: "cca-bar", style: "margin: 0", role: "radiogroup", "aria-label": label }, buttons);
    const show = (i) => save("hidden", model.get("hidden").includes(i) ? model.get("hidden").filter((k) => k !== i) : [...model.get("hidden"), i].sort((a, b) => a - b));
    const entries = curves.map((c, i) => {
      const button = h("button", { type: "button", tabindex: "-1", onclick: () => show(i) },
        svg("svg", { viewBox: "0 0 38 14", "aria-hidden": "true" }, svg("path", { d: "M0,7H38", class: `cca-rate-line${sort(c)}`, "stroke-dasharray": c.dash || null, style: tone(c, "stroke") }),
          svg("path", { d: RATE_MARKS[c.marker], transform: "translate(19 7)", class: `cca-rate-dot${sort(c)}`, style: tone(c, c.kind === "live" ? "fill" : "stroke") })),
        h("span", {}, c.name));
      const bd = h("span", { class: "cca-rate-bd" });
      return { button, bd, node: h("div", { class: "cca-rate-entry", onmouseenter: () => { if (drawn(i)) select(i); } }, button, bd) };
    });
    const legend = Object.keys(RATE_TITLES).map((kind) => [kind, entries.filter((_, i) => curves[i].kind === kind)]).filter(([, list]) => list.length);
    body.append(h("div", { class: "cca-bar", style: "margin: 0 0 6px" }, group("rate axis", scales), group("measure", metrics), h("label", { class: "cca-bar-label" }, "anchor ", chooser)), stage,
      h("div", { class: "cca-rate-legend" }, legend.map(([kind, list]) => h("div", {}, h("p", { class: "cca-rate-group" }, RATE_TITLES[kind]), list.map((e) => e.node)))));

    // ---- choosing ----
    const inView = (i) => points(i).map(([rate], k) => [rate, k]).filter(([rate]) => rate <= limits[0]).map(([, k]) => k);
    const select = (i, k = null) => {
      const old = curves[model.get("curve")].bpp[model.get("point")], near = inView(i);
      save("curve", i);
      save("point", k ?? near.reduce((best, n) => (Math.abs(curves[i].bpp[n] - old) < Math.abs(curves[i].bpp[best] - old) ? n : best), near[0] ?? 0));
    };
    const along = (by) => { const list = inView(model.get("curve")); save("point", list[clamp(list.indexOf(model.get("point")) + by, 0, list.length - 1)] ?? 0); };
    const across = (by) => { // those that have this measure, hidden ones too
      const usable = curves.map((_, i) => i).filter((i) => points(i).length), at = usable.indexOf(model.get("curve"));
      select(usable[(at + by + usable.length) % usable.length]);
    };
    onKeys(stage, { ArrowLeft: () => along(-1), ArrowRight: () => along(1), ArrowUp: () => across(-1), ArrowDown: () => across(1), Home: () => along(-99), End: () => along(99),
      a: () => save("anchor", model.get("anchor") === model.get("curve") ? -1 : model.get("curve")), l: () => save("log", !model.get("log")),
      m: () => save("metric", model.get("metric") === "psnr" ? "ms_ssim" : "psnr"), " ": () => show(model.get("curve")) });
    let axes = null;
    const nearest = (event) => {
      const box = picture.getBoundingClientRect(), scale = axes.W / (box.width || 1), px = (event.clientX - box.left) * scale, py = (event.clientY - box.top) * scale;
      let best = null, reach = 28 * Math.max(scale, 1);
      curves.forEach((_, i) => { if (drawn(i)) for (const k of inView(i)) {
        const [rate, db] = points(i)[k], away = Math.hypot(axes.X(rate) - px, axes.Y(db) - py);
        if (away < reach) { reach = away; best = [i, k]; }
      } });
      return best;
    };
    const hover = (event) => { const found = nearest(event); if (found) select(...found); };
    stage.addEventListener("pointermove", hover);
    stage.addEventListener("pointerdown", hover);

    // ---- drawing ----
    const frameOf = () => { // as wide as there is room, so that letters keep their size
      const W = clamp(Math.round(body.clientWidth || 760), 320, 760), H = Math.round(clamp(0.58 * W, 260, 420)), box = { left: 46, right: 12, top: 10, bottom: 40 };
      const metric = model.get("metric"), all = curves.flatMap((c) => c.bpp.map((rate, k) => [rate, c[metric][k]])).filter(([rate, db]) => db !== undefined && rate <= limits[0]);
      const low = Math.max(limits[metric === "psnr" ? 1 : 2], Math.floor(Math.min(...all.map((p) => p[1])))), high = Math.ceil(Math.max(...all.map((p) => p[1])));
      const from = model.get("log") ? Math.min(...all.map((p) => p[0])) * 0.9 : 0, part = model.get("log") ? (r) => Math.log(r / from) / Math.log(limits[0] / from) : (r) => r / limits[0];
      return { W, H, box, low, high, from, X: (r) => box.left + (W - box.left - box.right) * part(r), Y: (db) => H - box.bottom - ((H - box.top - box.bottom) * (db - low)) / (high - low) };
    };
    const grid = ({ W, H, box, low, high, from, X, Y }) => {
      const rates = model.get("log") ? [0.05, 0.1, 0.2, 0.4, 0.8, 1.6].filter((r) => r >= from) : [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6].filter((_, i) => W > 500 || i % 2 === 0);
      const step = high - low > 9 ? 2 : 1, levels = Array.from({ length: high - low + 1 }, (_, i) => low + i).filter((v) => v % step === 0);
      return [rates.map((v) => [svg("line", { x1: X(v), x2: X(v), y1: box.top, y2: H - box.bottom, class: "cca-rate-grid" }), svg("text", { x: X(v), y: H - box.bottom + 16, "text-anchor": "middle", class: "soft" }, String(v))]),
        levels.map((v) => [svg("line", { x1: box.left, x2: W - box.right, y1: Y(v), y2: Y(v), class: "cca-rate-grid" }), svg("text", { x: box.left - 7, y: Y(v) + 4, "text-anchor": "end", class: "soft" }, String(v))]),
        svg("text", { x: (W + box.left) / 2, y: H - 6, "text-anchor": "middle", class: "soft" }, `bits per pixel${model.get("log") ? ", logarithmic" : ""}`),
        svg("text", { x: 13, y: (H - box.bottom) / 2, "text-anchor": "middle", class: "soft", transform: `rotate(-90 13 ${(H - box.bottom) / 2})` }, `${RATE_METRICS[model.get("metric")]} in dB`)].flat(3);
    };
    const between = (bd, { W, box, X, Y }) => { // the shared dB, and what lies between the two curves there
      if (!bd) return [];
      const steps = Array.from({ length: 61 }, (_, i) => bd.low + ((bd.high - bd.low) * i) / 60), xy = (curve) => (u) => `${X(10 ** curve.at(u)).toFixed(1)},${Y(u).toFixed(1)}`;
      const outline = [...steps.map(xy(bd.anchor)), ...steps.map(xy(bd.test)).reverse()].join("L");
      return [svg("rect", { x: box.left, width: W - box.left - box.right, y: Y(bd.high), height: Y(bd.low) - Y(bd.high), class: "cca-rate-band" }),
        svg("path", { d: `M${outline}z`, class: "cca-rate-area", style: bd.percent > 0 ? `fill: url(#${id}-hatch); opacity: .9` : null })];
    };
    const draw = () => {
      axes = frameOf();
      const { W, H, box, X, Y } = axes, now = model.get("curve"), anchor = model.get("anchor"), bds = curves.map((_, i) => (anchor < 0 || i === anchor ? null : bdRate(points(anchor), points(i))));
      const quiet = (i) => (anchor >= 0 && i !== now && i !== anchor ? " cca-off" : ""), on = (i) => (i === now || i === anchor ? " cca-on" : "");
      const order = curves.map((_, i) => i).filter(drawn).sort((a, b) => (a === now) - (b === now));
      const k = Math.min(model.get("point"), points(now).length - 1), seen = k >= 0 && drawn(now), [rate, db] = seen ? points(now)[k] : [0, 0];
      picture.setAttribute("viewBox", `0 0 ${W} ${H}`);
      picture.replaceChildren(svg("defs", {}, svg("clipPath", { id: `${id}-clip` }, svg("rect", { x: box.left, y: box.top - 6, width: W - box.left - box.right + 6, height: H - box.top - box.bottom + 6 })),
        svg("pattern", { id: `${id}-hatch`, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, svg("path", { d: "M0,0V6", class: "cca-rate-hatch" }))),
        ...grid(axes), svg("g", { "clip-path": `url(#${id}-clip)` }, drawn(now) && anchor >= 0 && drawn(anchor) ? between(bds[now], axes) : null,
          order.map((i) => svg("path", { d: `M${points(i).map(([r, v]) => `${X(r).toFixed(1)},${Y(v).toFixed(1)}`).join("L")}`, class: `cca-rate-line${sort(curves[i])}${on(i)}${quiet(i)}`, "stroke-dasharray": curves[i].dash || null, style: tone(curves[i], "stroke") })),
          order.flatMap((i) => points(i).map(([r, v]) => svg("path", { d: RATE_MARKS[curves[i].marker], transform: `translate(${X(r).toFixed(1)} ${Y(v).toFixed(1)})`, class: `cca-rate-dot${sort(curves[i])}${quiet(i)}`, style: tone(curves[i], curves[i].kind === "live" ? "fill" : "stroke") })))),
        seen ? svg("path", { d: `M${box.left},${Y(db)}H${X(rate)}V${H - box.bottom}`, class: "cca-rate-cross" }) : "", seen ? svg("circle", { cx: X(rate), cy: Y(db), r: 9, class: "cca-rate-ring" }) : "");
      tell(now, k, bds, seen);
      if (seen) place(X(rate) / W, Y(db) / H);
    };
    const tell = (now, k, bds, seen) => { // tooltip, legend, table, sentence
      const c = curves[now], anchor = model.get("anchor"), bd = bds[now], similar = c.similarity.length ? `, MS-SSIM ${c.similarity[k].toFixed(4)}` : "";
      tip.style.visibility = seen ? "visible" : "hidden";
      tip.replaceChildren(h("b", {}, c.name), ` · ${RATE_KINDS[c.kind]}`, h("br"), `${c.bpp[Math.max(k, 0)].toFixed(3)} bpp, ${c.psnr[Math.max(k, 0)].toFixed(2)} dB${similar}`, h("br"), c.settings[Math.max(k, 0)], h("small", {}, c.source));
      entries.forEach((entry, i) => {
        entry.node.classList.toggle("cca-on", i === now);
        entry.button.setAttribute("aria-pressed", String(!model.get("hidden").includes(i)));
        entry.bd.replaceChildren(...(i === anchor ? ["anchor"] : bds[i] ? [signed(bds[i].percent), h("small", {}, `${bds[i].low.toFixed(1)}–${bds[i].high.toFixed(1)} dB`)] : points(i).length ? [anchor < 0 ? "" : "–"] : ["no MS-SSIM"]));
      });
      const span = (v, digits) => (v.length ? `${Math.min(...v).toFixed(digits)}–${Math.max(...v).toFixed(digits)}` : "–");
      const rows = curves.map((one, i) => { const db = points(i).map((p) => p[1]), b = bds[i]; return [one.name, RATE_KINDS[one.kind], String(db.length), span(one.bpp, 2), span(db, 1),
        i === anchor ? "anchor" : b ? signed(b.percent) : "–", b ? `${b.low.toFixed(1)}–${b.high.toFixed(1)}` : "–"]; });
      if (JSON.stringify(rows) !== JSON.stringify(model.get("rows"))) save("rows", rows);
      scales.forEach((button, i) => button.setAttribute("aria-checked", String(Boolean(i) === model.get("log"))));
      metrics.forEach((button, i) => button.setAttribute("aria-checked", String(Object.keys(RATE_METRICS)[i] === model.get("metric"))));
      chooser.value = String(anchor);
      const text = k < 0 ? `${c.name}: no ${RATE_METRICS[model.get("metric")]}; ${RATE_KINDS[c.kind]}.` : `${c.name}, ${c.settings[k]}: ${c.bpp[k].toFixed(3)} bits per pixel, PSNR ${c.psnr[k].toFixed(2)} dB${similar}; ${RATE_KINDS[c.kind]}.` +
        (bd ? ` BD-rate (${RATE_METRICS[model.get("metric")]}) against ${curves[anchor].name}: ${signed(bd.percent)} over ${bd.low.toFixed(1)} to ${bd.high.toFixed(1)} dB.` : "") +
        [[" It is the anchor.", now === anchor], [" Drawn by MS-SSIM.", model.get("metric") === "ms_ssim"], [" Logarithmic rate.", model.get("log")],
          [" Hidden.", model.get("hidden").includes(now)]].map(([words, said]) => (said ? words : "")).join("");
      stage.setAttribute("aria-valuemax", String(c.bpp.length));
      stage.setAttribute("aria-valuenow", String(Math.max(k, 0) + 1));
      stage.setAttribute("aria-valuetext", text);
      say(text);
    };
    const place = (x, y) => { // below the point, inside the stage
      const W = stage.clientWidth, H = stage.clientHeight, w = tip.offsetWidth, t = tip.offsetHeight, under = y * H + 14;
      tip.style.left = `${clamp(x * W + 12, 0, Math.max(W - w - 4, 0))}px`;
      tip.style.top = `${under + t > H ? Math.max(y * H - t - 14, 0) : under}px`;
    };
    follow(model, ["curve", "point", "anchor", "metric", "log", "hidden"], draw);
    const watcher = new ResizeObserver(draw);
    watcher.observe(body);
    cleanup.add(() => watcher.disconnect());
    return cleanup.run;
  },
};
