// One coefficient and its quantization step: the histogram cut into cells, and R, λD and their sum over the step.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const lambdas = model.get("lambdas"), steps = model.get("steps"), rates = model.get("rates"), errors = model.get("errors");
    const { body, save, say } = frame(model, el, { keys: `Drag on the right, or ← →: step · 1–${lambdas.length}: λ · B: best step`, cleanup });
    const W = 760, H = 250, left = { x0: 20, x1: 350 }, right = { x0: 420, x1: 744 }, top = 26, bottom = H - 40;
    const [low, high] = model.get("edges"), counts = model.get("counts"), most = Math.max(...counts);

    const X = (value) => left.x0 + ((left.x1 - left.x0) * (value - low)) / (high - low);
    const wide = (left.x1 - left.x0) / counts.length;
    const bars = counts.map((n, i) => svg("rect", { x: left.x0 + i * wide, width: wide + 0.3, y: bottom - ((bottom - top) * n) / most,
      height: ((bottom - top) * n) / most, class: "cca-st-bars" }));
    const borders = svg("path", { class: "cca-st-borders" }), levels = svg("g", {});

    const logs = steps.map(Math.log), last = steps.length - 1;
    const S = (step) => right.x0 + ((right.x1 - right.x0) * (Math.log(step) - logs[0])) / (logs[last] - logs[0]);
    const curves = ["cca-st-rate", "cca-st-cost", "cca-st-sum"].map((name) => svg("path", { class: name }));
    const names = ["R", "λD", "R + λD"].map((name, i) => svg("text", { class: i < 2 ? "soft" : null }, name));
    const grid = svg("g", {}), theory = svg("g", {}, svg("path", { class: "cca-st-theory" }), svg("text", { class: "soft", "text-anchor": "middle" }, "theory"));
    const dot = svg("circle", { r: 7, class: "cca-st-knob" }), now = svg("path", { class: "cca-st-now" }), best = svg("circle", { r: 5, class: "cca-st-best" });
    const titles = [svg("text", { x: left.x0, y: 14 }), svg("text", { x: right.x0, y: 14 }, "bits a symbol, over the step")];
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, titles, bars, borders, levels,
      svg("line", { x1: left.x0, x2: left.x1, y1: bottom, y2: bottom, class: "cca-st-axis" }),
      [low, 0, high].map((v) => svg("text", { x: X(v), y: H - 8, class: "soft", "text-anchor": "middle" }, String(Math.round(v)))),
      grid, theory, curves, names, now, best, dot);
    const rail = h("div", { class: "cca-focus", role: "slider", tabindex: "0", "aria-label": "quantization step",
      "aria-valuemin": "0", "aria-valuemax": String(last), style: "touch-action: pan-y; cursor: ew-resize" }, picture);
    const choose = (i) => save("selected", clamp(Math.round(i), 0, last));
    draggable(rail, rail, (x) => {
      const at = logs[0] + (logs[last] - logs[0]) * clamp((x * W - right.x0) / (right.x1 - right.x0), 0, 1);
      if (x * W > right.x0 - 30) choose(logs.reduce((near, v, i) => (Math.abs(v - at) < Math.abs(logs[near] - at) ? i : near), 0));
    });
    const toBest = () => choose(model.get("best")[model.get("which")]);
    const keys = { ArrowLeft: () => choose(model.get("selected") - 1), ArrowRight: () => choose(model.get("selected") + 1),
      Home: () => choose(0), End: () => choose(last), b: toBest };
    lambdas.forEach((_, i) => { keys[String(i + 1)] = () => save("which", i); });
    onKeys(rail, keys);
    const buttons = lambdas.map((lam, i) => h("button", { type: "button", class: "cca-button", role: "radio", tabindex: "-1",
      onclick: () => { save("which", i); rail.focus(); } }, `(${i + 1}) λ = ${Number(lam.toPrecision(2))}`));
    body.append(rail, h("div", { class: "cca-bar" }, h("span", { class: "cca-bar", style: "margin: 0", role: "radiogroup" }, buttons),
      h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { toBest(); rail.focus(); } }, "best step")));

    follow(model, ["selected", "which"], () => {
      const which = clamp(model.get("which"), 0, lambdas.length - 1), selected = clamp(model.get("selected"), 0, last);
      const step = steps[selected], lam = lambdas[which], costs = errors.map((e) => (lam / 3) * e);
      const sums = rates.map((r, i) => r + costs[i]), at = model.get("best")[which];
      const ceiling = 2.6 * sums[at], Y = (bits) => bottom - ((bottom - top) * Math.min(bits, ceiling)) / ceiling;
      let path = "";
      const few = (high - low) / step < 90;
      if (few) for (let k = Math.ceil(low / step - 0.5); (k + 0.5) * step < high; k++) path += `M${X((k + 0.5) * step)},${top}V${bottom + 5}`;
      borders.setAttribute("d", path);
      const points = [];
      if (few) for (let k = Math.ceil(low / step); k * step <= high; k++) points.push(svg("circle", { cx: X(k * step), cy: bottom, r: 3, class: "cca-st-level" }));
      levels.replaceChildren(...points);
      titles[0].textContent = few ? `cells of step ${step.toFixed(1)}; a dot is what is decoded` : `step ${step.toFixed(1)}: too fine to draw`;
      [rates, costs, sums].forEach((curve, j) => {
        const drawn = curve.map((v, i) => (v > ceiling ? null : `${S(steps[i]).toFixed(1)},${Y(v).toFixed(1)}`)).filter(Boolean);
        curves[j].setAttribute("d", drawn.length ? `M${drawn.join("L")}` : "");
        const place = j === 1 ? curve.findIndex((v) => v > 0.5 * ceiling) : Math.round((j === 0 ? 0.35 : 0.12) * last);
        const i = place < 0 ? last : place;
        names[j].setAttribute("x", S(steps[i]) + (j === 1 ? -26 : 4));
        names[j].setAttribute("y", clamp(Y(curve[i]) - 8, top + 10, bottom - 4));
      });
      const unit = ceiling > 6 ? 2 : ceiling > 2.5 ? 1 : 0.5, lines = [];
      for (let v = 0; v <= ceiling; v += unit) lines.push(svg("line", { x1: right.x0, x2: right.x1, y1: Y(v), y2: Y(v), class: "cca-st-thin" }),
        svg("text", { x: right.x0 - 6, y: Y(v) + 4, "text-anchor": "end", class: "soft" }, String(v)));
      for (const v of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]) if (v >= steps[0] && v <= steps[last])
        lines.push(svg("text", { x: S(v), y: H - 8, "text-anchor": "middle", class: "soft" }, String(v)));
      grid.replaceChildren(...lines);
      const wanted = clamp(S(model.get("theory")[which]), right.x0, right.x1);
      theory.firstChild.setAttribute("d", `M${wanted},${bottom}V${top + 14}`);
      theory.lastChild.setAttribute("x", wanted);
      theory.lastChild.setAttribute("y", top + 10);
      dot.style.visibility = sums[selected] > ceiling ? "hidden" : "visible";
      now.setAttribute("d", `M${S(step)},${top}V${bottom}`);
      dot.setAttribute("cx", S(step)); dot.setAttribute("cy", Y(sums[selected]));
      best.setAttribute("cx", S(steps[at])); best.setAttribute("cy", Y(sums[at]));
      buttons.forEach((button, i) => button.setAttribute("aria-checked", String(i === which)));
      const text = `Step ${step.toFixed(1)}: R = ${rates[selected].toFixed(2)} bits a symbol, D = ${errors[selected].toFixed(0)}, R + λD = ${sums[selected].toFixed(2)}. ` +
        (selected === at ? "No step is better at this λ." : `The best step at this λ is ${steps[at].toFixed(1)}, with ${sums[at].toFixed(2)}.`);
      rail.setAttribute("aria-valuenow", String(selected));
      rail.setAttribute("aria-valuetext", text);
      say(text);
    });
    return cleanup.run;
  },
};
