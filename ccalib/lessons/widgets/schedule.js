// Design a schedule: channels, bits and cost of each group at once, and how far the prediction was off where it was trained.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const networks = model.get("networks"), trained = model.get("trained"), missing = model.get("missing");
    const variances = model.get("eigenvalues"), palette = model.get("palette"), limits = model.get("limits"), cells = model.get("cells");
    const { body, save, say } = frame(model, el, { cleanup,
      keys: `← →: k · ↑ ↓: G · [ ]: M · , . : rate · 1–${networks.length}: preset${trained.length ? " · N: next trained" : ""}` });
    const picture = svg("svg", { "aria-hidden": "true" });
    const stage = h("div", { class: "cca-focus", role: "slider", tabindex: "0", "aria-label": "the schedule's k",
      "aria-valuemin": String(limits.k[0]), "aria-valuemax": String(limits.k[1]) }, picture);

    // ---- choosing ----
    const put = (name, value) => {
      const [low, high, step] = limits[name];
      save(name, Number(clamp(Math.round(value / step) * step, low, high).toFixed(2)));
    };
    const rates = limits.bpp, rateAt = (share) => Number((rates[0] * (rates[1] / rates[0]) ** clamp(share, 0, 1)).toPrecision(2));
    const shareOf = (bpp) => Math.log(bpp / rates[0]) / Math.log(rates[1] / rates[0]);
    const rate = (by) => { // rounded rates may not move by a small step
      for (let n = 1, now = model.get("bpp"); n < 9; n++) if (rateAt(shareOf(now) + n * by) !== now) { save("bpp", rateAt(shareOf(now) + n * by)); return; }
    };
    const choose = ({ channels, groups, k }, network) => { save("network", network); save("channels", channels); save("groups", groups); save("k", k); };
    const is = (point) => point.network === model.get("network") && ["channels", "groups", "k"].every((name) => point[name] === model.get(name));
    const jump = (i) => { if (trained[i]) choose(trained[i], trained[i].network); };
    const preset = (i) => { if (networks[i]) choose(networks[i], i); };
    const by = (name, count) => () => put(name, model.get(name) + count * limits[name][2]);
    const keys = { ArrowLeft: by("k", -1), ArrowRight: by("k", 1), ArrowUp: by("groups", 1), ArrowDown: by("groups", -1),
      "[": by("channels", -1), "]": by("channels", 1), ",": () => rate(-0.02), ".": () => rate(0.02), n: () => jump((trained.findIndex(is) + 1) % trained.length) };
    networks.forEach((_, i) => { keys[String(i + 1)] = () => preset(i); });
    onKeys(stage, keys);
    const range = (label, name, steps, toSlider, change) => {
      const input = h("input", { type: "range", min: "0", max: String(steps), step: "1", tabindex: "-1", "aria-label": label, oninput: () => change(Number(input.value)) });
      const text = h("span", {});
      follow(model, [name], () => { input.value = String(Math.round(toSlider(model.get(name)))); text.textContent = `${label} = ${model.get(name)}`; });
      return h("label", { class: "cca-sd-range" }, text, input);
    };
    const linear = (label, name) => {
      const [low, high, step] = limits[name];
      return range(label, name, Math.round((high - low) / step), (v) => (v - low) / step, (i) => put(name, low + i * step));
    };
    const buttons = networks.map(({ name }, i) => h("button", { type: "button", class: "cca-button", role: "radio", tabindex: "-1",
      onclick: () => { preset(i); stage.focus(); } }, `(${i + 1}) ${name}`));
    const next = h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { keys.n(); stage.focus(); } }, "next trained");
    body.append(h("div", { class: "cca-bar cca-sd-sliders" }, linear("G", "groups"), linear("k", "k"), linear("M", "channels"),
      range("bits a pixel", "bpp", 100, (v) => 100 * shareOf(v), (i) => save("bpp", rateAt(i / 100)))),
      h("div", { class: "cca-bar" }, h("span", { class: "cca-bar-label" }, "network"), h("span", { class: "cca-bar", style: "margin: 0", role: "radiogroup", "aria-label": "network" }, buttons),
        trained.length ? next : null), stage);

    // ---- drawing: panels flow with the width ----
    const words = (x, y, text, more = {}) => svg("text", { x, y, ...more }, text);
    const bars = (box, title, values, text, colors, marks) => {
      const top = box.y + 38, bottom = box.y + box.h - 22, wide = box.w / values.length, most = 1.08 * Math.max(...values, ...(marks || []), 1e-9);
      const Y = (v) => bottom - ((bottom - top) * v) / most, small = wide < 34 ? "cca-sd-small" : null;
      const parts = [words(box.x, box.y + 14, title, { class: "cca-sd-title" }), svg("line", { x1: box.x, x2: box.x + box.w, y1: bottom, y2: bottom, class: "cca-sd-axis" })];
      values.forEach((v, i) => {
        const x = box.x + (i + 0.5) * wide, peak = Math.min(Y(v), marks ? Y(marks[i]) - 6 : Infinity);
        parts.push(svg("rect", { x: x - 0.36 * wide, width: 0.72 * wide, y: Y(v), height: Math.max(bottom - Y(v), 0), fill: colors[i], class: "cca-sd-bar" }),
          words(x, peak - 5, text(v), { "text-anchor": "middle", class: small }), words(x, bottom + 16, values.length > 9 ? String(i + 1) : `g${i + 1}`, { "text-anchor": "middle", class: small ? "soft cca-sd-small" : "soft" }));
        if (marks) parts.push(svg("path", { d: `M${x},${Y(marks[i]) - 6}l6,6l-6,6l-6,-6z`, class: "cca-sd-mark" }));
      });
      return parts;
    };
    const errorPanel = (box, errors, now) => {
      const top = box.y + 46, bottom = box.y + box.h - 22, wide = box.w / errors.length, most = Math.max(20, ...errors.filter((e) => e !== null));
      const Y = (v) => bottom - ((bottom - top) * v) / most;
      const parts = [words(box.x, box.y + 14, "trained: % of bits predicted in the wrong group", { class: "cca-sd-title" }),
        svg("line", { x1: box.x, x2: box.x + box.w, y1: bottom, y2: bottom, class: "cca-sd-axis" })];
      errors.forEach((e, i) => {
        const x = box.x + (i + 0.5) * wide, lit = i === now, tone = lit ? "cca-sd-lit" : "cca-sd-dim";
        const shown = e === null ? "–" : e.toFixed(e < 9.95 ? 1 : 0);
        parts.push(svg("g", { class: `cca-sd-point ${tone}`, onclick: () => { jump(i); stage.focus(); } },
          svg("rect", { x: x - wide / 2, width: wide, y: box.y + 20, height: box.h - 20, class: "cca-sd-target" }),
          svg("line", { x1: x, x2: x, y1: bottom, y2: Y(e || 0), class: "cca-sd-stem" }), e === null ? null : svg("circle", { cx: x, cy: Y(e), r: lit ? 6 : 4.5 }),
          words(x, Y(e || 0) - 9, shown, { "text-anchor": "middle" }),
          words(x, bottom + 16, trained[i].label, { "text-anchor": "middle", class: wide < 58 ? "cca-sd-small" : null })));
      });
      return parts;
    };

    let width = 760;
    const draw = () => {
      const groups = model.get("groups"), k = model.get("k"), channels = model.get("channels"), bpp = model.get("bpp"), network = networks[model.get("network")];
      const { sizes, error } = groupSizes(channels, groups, k), now = trained.findIndex(is);
      const errors = trained.map((point) => {
        const seen = measuredShares(point, bpp);
        return seen && misplacedBits(filledShares(groupSizes(point.channels, point.groups, point.k).sizes, variances, bpp), seen);
      });
      const columns = width > 640 ? 3 : width > 400 ? 2 : 1, gap = 28, w = (width - gap * (columns - 1)) / columns, high = 176;
      const place = (i) => ({ x: (i % columns) * (w + gap), y: Math.floor(i / columns) * (high + 14), w, h: high });
      const parts = [], rows = Math.ceil(3 / columns);
      const shares = sizes ? filledShares(sizes, variances, bpp) : null, seen = sizes && now >= 0 ? measuredShares(trained[now], bpp) : null;
      const cost = sizes ? contextKmac(network, sizes, cells) : null;
      if (sizes) {
        const colors = palette[groups - 1];
        parts.push(...bars(place(0), "channels", sizes, String, colors),
          ...bars(place(1), seen ? "% of y's bits, ◆ measured" : "% of y's bits, predicted", shares, (v) => v.toFixed(groups > 8 || v >= 9.95 ? 0 : 1), colors, seen),
          ...bars(place(2), `kMAC a pixel: ${sum(cost).toFixed(2)}`, cost, (v) => v.toFixed(groups > 8 ? (v < 9.95 ? 1 : 0) : v < 99.95 ? 2 : 1), colors));
      } else {
        const line = [];
        error.split(" ").forEach((word) => { if (line.length && (line[line.length - 1] + word).length < width / 8) line[line.length - 1] += ` ${word}`; else line.push(word); });
        parts.push(words(0, 50, "refused", { class: "cca-sd-title cca-sd-refused" }), ...line.map((text, i) => words(0, 76 + 20 * i, text, { class: "cca-sd-refused" })));
      }
      let height = rows * (high + 14);
      if (trained.length) {
        const note = missing.length ? 20 : 0;
        parts.push(...errorPanel({ x: 0, y: height, w: width, h: 144 }, errors, now));
        if (note) parts.push(words(0, height + 164, `not trained yet: ${missing.join(", ")}`, { class: "soft" }));
        height += 148 + note;
      }
      picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
      picture.replaceChildren(...parts);
      buttons.forEach((button, i) => button.setAttribute("aria-checked", String(i === model.get("network"))));
      const list = (values) => values.map((v) => v.toFixed(0)).join(", ");
      let text = error;
      if (sizes) {
        text = `${groups} group${groups > 1 ? "s" : ""} of ${sizes.join(", ")} channels (M = ${channels}, k = ${k}): ${groups + 1} steps one after the other, contexts of ` +
          `${sum(cost).toFixed(2)} kMAC a pixel. At ${bpp} bits a pixel predicted: ${list(shares)} % of the bits.`;
        if (now < 0) text += " Not trained.";
        else if (!seen) text += ` Trained, but not measured at this rate (${trained[now].bpp[0].toFixed(2)} to ${trained[now].bpp[trained[now].bpp.length - 1].toFixed(2)}).`;
        else text += ` Trained (${trained[now].seeds} run${trained[now].seeds > 1 ? "s" : ""}): ${list(seen)} %, so ${errors[now].toFixed(1)} % were predicted in the wrong group.`;
      }
      const table = sizes ? sizes.map((size, i) => [`g${i + 1}`, String(size), shares[i].toFixed(1), seen ? seen[i].toFixed(1) : "", cost[i].toFixed(3)]) : [["refused", "", "", "", ""]];
      if (JSON.stringify(table) !== JSON.stringify(model.get("rows"))) save("rows", table);
      stage.setAttribute("aria-valuenow", String(k));
      stage.setAttribute("aria-valuetext", text);
      say(text);
    };
    follow(model, ["groups", "k", "channels", "network", "bpp"], draw);
    const watch = new ResizeObserver(([entry]) => {
      const found = Math.round(entry.contentRect.width);
      if (found > 40 && found !== width) { width = found; draw(); }
    });
    watch.observe(stage);
    cleanup.add(() => watch.disconnect());
    return cleanup.run;
  },
};
