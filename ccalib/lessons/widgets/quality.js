// A slider over pre-rendered qualities: the picture, its numbers, and its place on the rate-distortion curve.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const { body, save, say } = frame(model, el, { keys: "Drag the slider or click a point, or ← →", cleanup });
    const qualities = model.get("qualities"), bpps = model.get("bpps"), psnrs = model.get("psnrs"), count = qualities.length;
    const stack = imageStack(model, cleanup);
    const chip = h("span", { class: "cca-chip", style: "left: 8px; top: 8px; max-width: 90%" });
    stack.node.append(chip);
    const select = (i) => save("selected", clamp(Math.round(i), 0, count - 1));

    // The slider, one tick for each quality.
    const W = 760, first = 88, last = W - 20, at = (i) => first + ((last - first) * i) / Math.max(count - 1, 1);
    const knob = svg("circle", { cy: 14, r: 9, class: "cca-knob" });
    const rail = h("div", { class: "cca-focus cca-rail", role: "slider", tabindex: "0", "aria-label": "quality", "aria-valuemin": "0", "aria-valuemax": String(count - 1) },
      svg("svg", { viewBox: `0 0 ${W} 44`, "aria-hidden": "true" },
        svg("line", { x1: at(0), x2: at(count - 1), y1: 14, y2: 14, class: "cca-track" }),
        qualities.map((q, i) => svg("g", {}, svg("circle", { cx: at(i), cy: 14, r: 3, class: "cca-tick" }),
          svg("text", { x: at(i), y: 40, "text-anchor": "middle" }, String(q)))),
        svg("text", { x: 4, y: 18, class: "soft" }, "quality"), knob));
    draggable(rail, rail, (x) => select(((x * W - first) / (last - first)) * (count - 1)));
    onKeys(rail, {
      ArrowLeft: () => select(model.get("selected") - 1), ArrowRight: () => select(model.get("selected") + 1),
      ArrowDown: () => select(model.get("selected") - 1), ArrowUp: () => select(model.get("selected") + 1),
      Home: () => select(0), End: () => select(count - 1),
    });

    const plot = curvePlot(model, (i) => { select(i); rail.focus(); });
    body.append(stack.node, rail, plot.node);
    follow(model, ["selected"], () => {
      const selected = clamp(model.get("selected"), 0, count - 1);
      stack.show(selected);
      chip.textContent = model.get("captions")[selected];
      knob.setAttribute("cx", at(selected));
      plot.light(selected);
      rail.setAttribute("aria-valuenow", String(selected));
      rail.setAttribute("aria-valuetext", model.get("sentences")[selected]);
      say(model.get("sentences")[selected]);
    });
    return cleanup.run;
  },
};

/** PSNR over bits per pixel: ccalib's points, and other codecs' curves dashed. light(i) marks a point. */
function curvePlot(model, choose) {
  const bpps = model.get("bpps"), psnrs = model.get("psnrs"), others = model.get("others");
  const W = 760, H = 216, box = { left: 52, right: 16, top: 14, bottom: 42 };
  const top = Math.max(...bpps) * 1.04;
  const inside = ([bpp]) => bpp <= top;
  const values = [...psnrs, ...Object.values(others).flat().filter(inside).map(([, psnr]) => psnr)];
  const spread = Math.max(...values) - Math.min(...values) || 1;
  const low = Math.min(...values) - 0.2 * spread, high = Math.max(...values) + 0.08 * spread;
  const X = (bpp) => box.left + ((W - box.left - box.right) * bpp) / top;
  const Y = (psnr) => H - box.bottom - ((H - box.top - box.bottom) * (psnr - low)) / (high - low);
  const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${X(x).toFixed(1)},${Y(y).toFixed(1)}`).join(" ");
  const ticks = (from, to, wanted) => {
    const raw = (to - from) / wanted, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw);
    const list = [];
    for (let v = Math.ceil(from / step) * step; v <= to + 1e-9; v += step) list.push(Number(v.toFixed(6)));
    return list;
  };
  const grid = svg("g", {},
    ticks(0, top, 6).map((v) => svg("g", {}, svg("line", { x1: X(v), x2: X(v), y1: box.top, y2: H - box.bottom, class: "cca-gridline" }),
      svg("text", { x: X(v), y: H - box.bottom + 17, "text-anchor": "middle", class: "soft" }, String(v)))),
    ticks(low, high, 5).map((v) => svg("g", {}, svg("line", { x1: box.left, x2: W - box.right, y1: Y(v), y2: Y(v), class: "cca-gridline" }),
      svg("text", { x: box.left - 8, y: Y(v) + 4, "text-anchor": "end", class: "soft" }, String(v)))),
    svg("text", { x: (W + box.left) / 2, y: H - 6, "text-anchor": "middle", class: "soft" }, "rate: bits per pixel"),
    svg("text", { x: 14, y: (H - box.bottom) / 2, "text-anchor": "middle", class: "soft", transform: `rotate(-90 14 ${(H - box.bottom) / 2})` }, "PSNR in dB"));
  const names = Object.keys(others);
  const dashes = (i) => (i % 2 ? "2 4" : "8 4");
  const rivals = names.map((name, i) => svg("path", { d: path(others[name].filter(inside)), class: "cca-rival", "stroke-dasharray": dashes(i) }));
  const legend = ["ccalib", ...names].map((name, i) => {
    const y = H - box.bottom - 14 - 18 * (names.length - i);
    return svg("g", {}, svg("path", { d: `M${W - 130},${y} h28`, class: i ? "cca-rival" : "cca-own", "stroke-dasharray": i ? dashes(i - 1) : null }),
      svg("text", { x: W - 94, y: y + 4.5 }, name));
  });
  const order = bpps.map((bpp, i) => [bpp, psnrs[i]]);
  const cross = svg("path", { class: "cca-cross" });
  const dots = order.map(([x, y], i) => svg("circle", { cx: X(x), cy: Y(y), r: 5, class: "cca-dot", onclick: () => choose(i) }));
  const node = svg("svg", { viewBox: `0 0 ${W} ${H}`, class: "cca-curve", "aria-hidden": "true" }, grid, cross, rivals,
    svg("path", { d: path(order), class: "cca-own" }), dots,
    svg("rect", { x: W - 138, y: H - box.bottom - 28 - 18 * names.length, width: 130, height: 24 + 18 * names.length, rx: 4, class: "cca-legend" }), legend);
  const light = (selected) => {
    dots.forEach((dot, i) => { dot.classList.toggle("cca-on", i === selected); dot.setAttribute("r", i === selected ? 9 : 5); });
    const [x, y] = order[selected];
    cross.setAttribute("d", `M${box.left},${Y(y)} H${X(x)} V${H - box.bottom}`);
  };
  return { node, light };
}
