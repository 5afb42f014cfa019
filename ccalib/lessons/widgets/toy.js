// Two scalars: the source's ellipse with two arrows to drag, the bits that follow, and the loss as a ball on a hill.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const rho = model.get("rho"), [low, high] = model.get("limits"), straight = model.get("straight"), room = model.get("reach");
    const { body, save, say } = frame(model, el, { cleanup,
      keys: "Drag an arrow (longer: finer step) · 1, 2, 3: first, second, both · ← →: turn · ↑ ↓: finer, coarser · [ ]: α · − +: λ · K: KLT · R: roll" + (model.get("map").length ? " · G: to the lowest J" : "") });
    const W = 760, H = 300, C = [150, 150], U = 44, bars = { x: 352, y0: 270, y1: 40 }, hill = { x0: 520, x1: 744, y0: 250, y1: 40 };
    const names = ["first", "second"], tones = ["cca-toy-1", "cca-toy-2"];
    const reach = (gain) => U * (0.7 + (2.1 * Math.log(gain / low)) / Math.log(high / low));
    const gainOf = (pixels) => clamp(low * (high / low) ** ((pixels / U - 0.7) / 2.1), low, high);
    const turned = (degrees) => ((degrees + 45) * Math.PI) / 180;
    const wrap = (degrees) => ((((degrees + 180) % 360) + 360) % 360) - 180;

    const axes = [Math.sqrt(1 + rho), Math.sqrt(1 - rho)];
    const ellipses = [1, 2].map((k) => svg("ellipse", { rx: k * axes[0] * U, ry: k * axes[1] * U, class: "cca-toy-source", transform: `translate(${C}) rotate(-45)` }));
    const cells = tones.map((tone) => svg("path", { class: `cca-toy-cells ${tone}` }));
    const shafts = tones.map((tone) => svg("line", { x1: C[0], y1: C[1], class: `cca-toy-shaft ${tone}` }));
    const knobs = tones.map((tone, i) => svg("g", { class: "cca-toy-knob" }, svg("circle", { r: 11, class: tone }), svg("text", { "text-anchor": "middle", y: 4.5 }, String(i + 1))));
    const plane = svg("g", { "clip-path": "url(#cca-toy-clip)" }, svg("rect", { width: 300, height: 300, class: "cca-toy-plane" }), cells, ellipses, shafts, knobs);
    const clip = svg("clipPath", { id: "cca-toy-clip" }, svg("rect", { width: 300, height: 300, rx: 4 }));

    const boxes = ["cca-toy-r1", "cca-toy-r2given", "cca-toy-r2"].map((name) => svg("rect", { class: name, width: 44 }));
    const labels = ["R₁", "R₂|₁", "R₂"].map((text, i) => svg("text", { "text-anchor": "middle", class: i === 0 ? "cca-toy-on" : null }, text));
    const bracket = svg("path", { class: "cca-toy-bracket" }), gain = svg("text", { class: "cca-toy-gain" });
    const scale = svg("g", {}), hillLine = svg("path", { class: "cca-toy-hill" }), ball = svg("circle", { r: 7, class: "cca-toy-ball" });
    const hillText = svg("text", { x: hill.x0, y: 22 }), hillTicks = svg("g", {});
    const barTitle = svg("text", { x: bars.x - 30, y: 22 });
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, svg("defs", {}, clip), plane, scale, boxes, labels, bracket, gain, barTitle,
      hillText, hillTicks, hillLine, ball);
    const stage = h("div", { class: "cca-focus", role: "slider", tabindex: "0", "aria-label": "the arrows", "aria-valuemin": "-180", "aria-valuemax": "180",
      style: "touch-action: none" }, picture);

    const range = (label, name, toValue, toSlider, steps) => {
      const input = h("input", { type: "range", min: "0", max: String(steps), step: "1", tabindex: "-1", "aria-label": label,
        oninput: () => save(name, toValue(Number(input.value) / steps)) });
      const text = h("span", {});
      follow(model, [name], () => { input.value = String(Math.round(toSlider(model.get(name)) * steps)); text.textContent = `${label} = ${Number(model.get(name).toPrecision(2))}`; });
      return h("label", { class: "cca-toy-range" }, text, input);
    };
    const alpha = range("α", "alpha", (v) => Math.round(v * 95) / 100, (v) => v / 0.95, 95);
    const lambda = range("λ", "lam", (v) => Number((0.5 * 2000 ** v).toPrecision(2)), (v) => Math.log(v / 0.5) / Math.log(2000), 100);
    const which = ["first", "second", "both"].map((text, i) => h("button", { type: "button", class: "cca-button", role: "radio", tabindex: "-1",
      onclick: () => { save("chosen", i); stage.focus(); } }, `(${i + 1}) ${text}`));
    const pose = (angles) => { stop(); save("angles", angles); };
    const poses = model.get("poses").map(({ name, angles }) => h("button", { type: "button", class: "cca-button", tabindex: "-1",
      onclick: () => { pose(angles); stage.focus(); } }, name));
    const rollButton = h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { roll(); stage.focus(); } }, "roll");
    const map = phaseMap(model, save), go = () => { const p = map.place(); if (p) { pose(p.angles); save("gains", p.gains.map((g) => clamp(g, low, high))); stage.focus(); } };
    const lowest = map.node ? h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: go }, "to the lowest J") : null;
    const dialText = h("b", {}), dialStart = h("span", {}), dialEnd = h("span", {}), dialFill = h("i", {});
    const dial = h("div", { class: "cca-toy-dial", role: "meter", "aria-label": "R + λD, in bits" }, dialText,
      h("span", { class: "cca-toy-track" }, dialFill), h("span", { class: "cca-toy-ends cca-bar-label" }, dialStart, dialEnd));
    body.append(stage, dial, h("div", { class: "cca-bar" }, alpha, lambda, lowest), ...(map.node ? [map.node] : []),
      h("div", { class: "cca-bar" }, h("span", { class: "cca-bar", style: "margin: 0", role: "radiogroup", "aria-label": "which arrow the keys move" }, which), poses, rollButton));

    // ---- moving ----
    const put = (i, angle, size) => {
      const angles = [...model.get("angles")], gains = [...model.get("gains")];
      angles[i] = wrap(angle); gains[i] = clamp(size, low, high);
      save("angles", angles); save("gains", gains);
    };
    const at = (event) => {
      const box = picture.getBoundingClientRect(), k = W / (box.width || 1);
      return [(event.clientX - box.left) * k - C[0], C[1] - (event.clientY - box.top) * k];
    };
    const tip = (i) => { const t = turned(model.get("angles")[i]), r = reach(model.get("gains")[i]); return [r * Math.cos(t), r * Math.sin(t)]; };
    let held = -1;
    draggable(stage, stage, (_, event) => {
      const [x, y] = at(event);
      if (event.type === "pointerdown") {
        stop();
        const far = [0, 1].map((i) => Math.min(...[1, -1].map((s) => Math.hypot(x - s * tip(i)[0], y - s * tip(i)[1]))));
        held = Math.min(...far) < 40 ? (far[1] < far[0] ? 1 : 0) : -1;
        if (held >= 0) save("chosen", held);
      }
      if (held < 0 || Math.hypot(x, y) < 6) return;
      put(held, Number((((Math.atan2(y, x) * 180) / Math.PI) - 45).toFixed(1)), Number(gainOf(Math.hypot(x, y)).toPrecision(3)));
    });
    const chosen = () => (model.get("chosen") > 1 ? [0, 1] : [model.get("chosen")]);
    const turn = (by) => { stop(); chosen().forEach((i) => put(i, model.get("angles")[i] + by, model.get("gains")[i])); };
    const grow = (by) => { stop(); chosen().forEach((i) => put(i, model.get("angles")[i], Number((model.get("gains")[i] * by).toPrecision(3)))); };
    const alter = (by) => save("alpha", clamp(Math.round(100 * (model.get("alpha") + by)) / 100, 0, 0.95));
    const tune = (by) => save("lam", clamp(Number((model.get("lam") * by).toPrecision(2)), 0.5, 1000));
    onKeys(stage, { ArrowLeft: () => turn(2), ArrowRight: () => turn(-2), ArrowUp: () => grow(1.1), ArrowDown: () => grow(1 / 1.1),
      1: () => save("chosen", 0), 2: () => save("chosen", 1), 3: () => save("chosen", 2), "[": () => alter(-0.05), "]": () => alter(0.05),
      "+": () => tune(1.25), "=": () => tune(1.25), "-": () => tune(0.8), k: () => pose([0, 90]), r: () => roll(), g: go });

    // ---- rolling: downhill in angles and gains, until nothing is won ----
    const loss = (angles, gains) => { const c = countCells(arrowsOf(angles, gains), rho); return c.rate + model.get("lam") * c.d - model.get("alpha") * Math.max(c.gain, 0); };
    let rolling = 0, size = 8;
    const stop = () => { cancelAnimationFrame(rolling); rolling = 0; rollButton.setAttribute("aria-pressed", "false"); };
    cleanup.add(stop);
    function roll() {
      if (rolling) { stop(); return; }
      size = 8;
      rollButton.setAttribute("aria-pressed", "true");
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const move = () => {
        for (let n = 0; n < (still ? 400 : 1) && size > 0.05; n++) {
          const angles = model.get("angles"), gains = model.get("gains"), now = loss(angles, gains);
          let best = null;
          for (const i of [0, 1]) for (const s of [1, -1]) for (const part of [0, 1]) {
            const a = [...angles], g = [...gains];
            if (part) g[i] = clamp(g[i] * (1 + s * size / 60), low, high); else a[i] = wrap(a[i] + s * size);
            const value = loss(a, g);
            if (value < (best ? best.value : now - 1e-5)) best = { value, a, g };
          }
          if (best) { save("angles", best.a.map((v) => Number(v.toFixed(2)))); save("gains", best.g.map((v) => Number(v.toPrecision(4)))); } else size /= 2;
        }
        if (size > 0.05) rolling = requestAnimationFrame(move); else stop();
      };
      rolling = requestAnimationFrame(move);
    }

    // ---- drawing ----
    let later = 0;
    cleanup.add(() => clearTimeout(later));
    const drawHill = () => {
      const angles = model.get("angles"), gains = model.get("gains"), points = [];
      const step = gains[0] * gains[1] > 4 ? 10 : 5;
      for (let by = -90; by <= 90; by += step) points.push([by, loss(angles.map((a) => a + by), gains)]);
      const values = points.map((p) => p[1]), least = Math.min(...values), most = Math.max(...values, least + 0.5);
      const X = (by) => hill.x0 + ((hill.x1 - hill.x0) * (by + 90)) / 180, Y = (v) => hill.y0 - ((hill.y0 - hill.y1) * (v - least)) / (most - least);
      hillLine.setAttribute("d", `M${points.map(([by, v]) => `${X(by).toFixed(1)},${Y(v).toFixed(1)}`).join("L")}`);
      ball.setAttribute("cx", X(0)); ball.setAttribute("cy", Y(loss(angles, gains)) - 7);
      hillTicks.replaceChildren(svg("text", { x: hill.x0, y: hill.y0 + 20, class: "soft" }, "−90°"), svg("text", { x: X(0), y: hill.y0 + 20, class: "soft", "text-anchor": "middle" }, "both turned by"),
        svg("text", { x: hill.x1, y: hill.y0 + 20, class: "soft", "text-anchor": "end" }, "90°"),
        svg("text", { x: hill.x0, y: hill.y0 + 38, class: "soft" }, `from ${least.toFixed(2)} to ${most.toFixed(2)} bits`));
    };
    follow(model, ["angles", "gains", "alpha", "lam", "chosen"], () => {
      const angles = model.get("angles"), gains = model.get("gains"), al = model.get("alpha"), lam = model.get("lam");
      const c = countCells(arrowsOf(angles, gains), rho), bought = Math.max(c.gain, 0), plain = c.rate + lam * c.d, j = plain - al * bought;
      [0, 1].forEach((i) => {
        const [x, y] = tip(i), t = turned(angles[i]), u = [Math.cos(t), -Math.sin(t)];
        shafts[i].setAttribute("x2", C[0] + x); shafts[i].setAttribute("y2", C[1] - y);
        knobs[i].setAttribute("transform", `translate(${C[0] + x} ${C[1] - y})`);
        const wide = U / gains[i];
        let path = "";
        if (wide > 5) for (let k = -Math.ceil(220 / wide); k <= Math.ceil(220 / wide); k++) {
          const o = [C[0] + (k + 0.5) * wide * u[0], C[1] + (k + 0.5) * wide * u[1]];
          path += `M${o[0] - 320 * u[1]},${o[1] + 320 * u[0]}L${o[0] + 320 * u[1]},${o[1] - 320 * u[0]}`;
        }
        cells[i].setAttribute("d", path);
      });
      const top = Math.max(2, 2 * Math.ceil((c.r1 + c.r2) / 2)), Y = (v) => bars.y0 - ((bars.y0 - bars.y1) * v) / top;
      const put = (box, x, from, to) => { box.setAttribute("x", x); box.setAttribute("y", Y(to)); box.setAttribute("height", Math.max(Y(from) - Y(to), 0)); };
      put(boxes[0], bars.x, 0, c.r1); put(boxes[1], bars.x, c.r1, c.rate); put(boxes[2], bars.x + 58, c.r1, c.r1 + c.r2);
      [[bars.x + 22, c.r1 / 2], [bars.x + 22, (c.r1 + c.rate) / 2], [bars.x + 80, c.r1 + c.r2 / 2]].forEach(([x, v], i) => {
        labels[i].setAttribute("x", x); labels[i].setAttribute("y", Y(v) + 4);
        labels[i].style.visibility = [c.r1, c.given, c.r2][i] / top < 0.07 ? "hidden" : "visible";
      });
      const bx = bars.x + 110;
      bracket.setAttribute("d", `M${bx},${Y(c.rate)}h6V${Y(c.r1 + c.r2)}h-6`);
      gain.setAttribute("x", bx - 6); gain.setAttribute("y", Y(c.r1 + c.r2) - 8);
      gain.textContent = `I ${bought.toFixed(2)}`;
      scale.replaceChildren(...[0, 0.5, 1].map((f) => f * top).flatMap((v) => [svg("line", { x1: bars.x - 6, x2: bars.x + 108, y1: Y(v), y2: Y(v), class: "cca-toy-thin" }),
        svg("text", { x: bars.x - 10, y: Y(v) + 4, "text-anchor": "end", class: "soft" }, String(v))]));
      barTitle.textContent = `R = ${c.rate.toFixed(2)} bits`;
      hillText.textContent = `J = ${j.toFixed(2)}, D = ${c.d.toFixed(4)}`;
      const best = straight.reduce((sum, axis) => sum + Math.min(...axis.map(([bits, error]) => bits + lam * error)), 0), above = clamp(plain - best, 0, room);
      dialText.textContent = `R + λD = ${plain.toFixed(2)}`; dialStart.textContent = `the KLT's best ${best.toFixed(2)}`;
      dialEnd.textContent = plain - best > room ? `more than +${room} bits` : `+${room} bits`;
      dialFill.style.width = `${(100 * above) / room}%`;
      Object.entries({ valuemin: best, valuemax: best + room, valuenow: best + above }).forEach(([name, value]) => dial.setAttribute(`aria-${name}`, value.toFixed(2)));
      dial.setAttribute("aria-valuetext", `${plain.toFixed(2)}; the KLT's best: ${best.toFixed(2)}`);
      which.forEach((button, i) => button.setAttribute("aria-checked", String(i === model.get("chosen"))));
      const text = `Arrows at ${angles[0].toFixed(0)}° and ${angles[1].toFixed(0)}°: ${c.r1.toFixed(2)} + ${c.given.toFixed(2)} = ${c.rate.toFixed(2)} bits; ` +
        `without the first, the second would cost ${c.r2.toFixed(2)}: a gain of ${bought.toFixed(2)}. D = ${c.d.toFixed(4)}; ` +
        `R + λD = ${plain.toFixed(2)} (the KLT's best: ${best.toFixed(2)}); at α = ${al.toFixed(2)}, J = ${j.toFixed(2)}.${map.say()}`;
      stage.setAttribute("aria-valuenow", angles[Math.min(model.get("chosen"), 1)].toFixed(0));
      stage.setAttribute("aria-valuetext", text);
      say(text);
      clearTimeout(later);
      later = setTimeout(drawHill, rolling ? 0 : 30);
    });
    return cleanup.run;
  },
};
