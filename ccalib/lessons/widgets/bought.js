// What did the previous group buy? Bars and brackets per group, the gain map on the photograph, the histogram of gains.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const records = model.get("records"), maps = model.get("maps").map((bytes) => new Float32Array(asBytes(bytes).slice().buffer));
    const groups = records[0].with.length, palette = asBytes(model.get("palette")), names = model.get("names"), shapes = model.get("shapes");
    const addresses = model.get("pictures").map((bytes) => (bytes.length || bytes.byteLength ? addressOf(bytes, model.get("mime"), cleanup) : null));

    // ---- what is selected: the record of image, arm, ruler and step; more seeds of the same are dots ------------------
    const KEYS = ["image", "arm", "ruler", "step"];
    const values = Object.fromEntries(KEYS.map((key) => [key, [...new Set(records.map((r) => r[key]))]]));
    values.step.sort((a, b) => a - b);
    const chosen = () => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));
    const matching = (wanted) => records.filter((r) => KEYS.every((key) => r[key] === wanted[key]));
    let hovered = null, quiet = 0;
    const state = () => {
      const [record, ...others] = matching(chosen());
      const used = record || records[0], group = clamp(model.get("group"), 0, groups - 1), shown = hovered ?? group;
      const place = names.indexOf(used.image), [width, height] = shapes[place];
      const map = used.map >= 0 && width ? maps[used.map].subarray((shown * width * height) / 256, ((shown + 1) * width * height) / 256) : null;
      const [column, row] = model.get("cell");
      return { record: used, others, group, shown, hovered, map, width, height, address: addresses[place], edges: model.get("edges"),
        column: clamp(column, 0, Math.max(width / 16 - 1, 0)), row: clamp(row, 0, Math.max(height / 16 - 1, 0)) };
    };
    const together = (change) => { quiet += 1; change(); quiet -= 1; refresh(); };
    /** Set one key; where no record has that together with the others, the others move as little as they must. */
    const set = (key, value) => together(() => {
      const wanted = { ...chosen(), [key]: value };
      const fits = (r) => (r[key] === value ? KEYS.filter((k) => r[k] === wanted[k]).length : -1);
      const best = records.reduce((a, b) => (fits(b) > fits(a) ? b : a));
      KEYS.forEach((k) => model.put(k, best[k]));
    });
    const chooseCell = (column, row) => together(() => {
      const s = state();
      if (!s.width) return;
      const cell = [clamp(column, 0, s.width / 16 - 1), clamp(row, 0, s.height / 16 - 1)];
      model.put("cell", cell);
      tell({ name: s.record.image, cell, group: s.group, from: host });
    });
    const app = {
      choose: (group) => together(() => model.put("group", clamp(group, 0, groups - 1))),
      hover: (group) => { if (hovered !== group) { hovered = group; refresh(); } },
      focus: () => root.focus({ preventScroll: true }),
    };

    // ---- switches ---------------------------------------------------------------------------------------------------
    const switchOf = (key, label) => {
      if (values[key].length < 2) return { node: null, update: () => {} };
      const buttons = values[key].map((value) => h("button", { type: "button", class: "cca-button", role: "radio", tabindex: "-1", onclick: () => { set(key, value); app.focus(); } }, value));
      return { node: h("div", { class: "cca-bar", role: "radiogroup", "aria-label": label }, h("span", { class: "cca-bar-label" }, `${label}:`), buttons),
        update: () => buttons.forEach((button, i) => button.setAttribute("aria-checked", String(values[key][i] === model.get(key)))) };
    };
    const switches = [switchOf("image", "photograph"), switchOf("arm", "trained"), switchOf("ruler", "ruler")];
    const about = h("p", { class: "cca-caption" });
    const scrub = scrubber(values.step, (i) => set("step", values.step[i]), app, cleanup);

    // ---- views ------------------------------------------------------------------------------------------------------
    const bars = barsView(app, cleanup), totals = totalsView(), histogram = histogramView(app, cleanup), where = gainMapView(app, palette, chooseCell);
    const root = h("div", { tabindex: "0", class: "cca-focus cca-bought", role: "application", "aria-label": model.get("heading") },
      h("div", { class: "cca-switches" }, switches.map((one) => one.node)), about, scrub.node,
      h("div", { class: "cca-views" }, h("div", { class: "cca-column" }, bars.node, totals.node), h("div", { class: "cca-column" }, where.node, histogram.node)));
    const listed = withRows(model, () => {
      const { record: r } = state(), all = total(r.with), bytes = (bits) => grouped((bits / 8).toFixed(0));
      return r.with.map((bits, i) => {
        const gain = r.without[i] - bits;
        return [`g${i + 1}`, bytes(bits), bytes(r.without[i]), r.z.length ? bytes(r.z[i]) : "", signed(gain / r.pixels, 4), signed((100 * gain) / all, 1), signed(gain / 8, 0), r.negative.length ? (100 * r.negative[i]).toFixed(0) : ""];
      });
    });
    const next = (key) => (values[key].length > 1 ? { [key[0]]: () => set(key, values[key][(values[key].indexOf(model.get(key)) + 1) % values[key].length]) } : {});
    const step = (by) => () => set("step", values.step[clamp(values.step.indexOf(model.get("step")) + by, 0, values.step.length - 1)]);
    const words = { image: "I: photograph", arm: "A: training", ruler: "R: ruler" };
    const switchKeys = Object.keys(words).filter((key) => values[key].length > 1).map((key) => ` · ${words[key]}`).join("");
    const outer = frame(listed.seen, el, { keys: `← →: group · Shift + arrows: cell${switchKeys}${values.step.length > 1 ? " · , . : step of training" : ""}`, cleanup });
    outer.root.classList.add("cca-wide");
    outer.body.append(root);
    const arrow = (x, y) => (event) => { const s = state(); if (event.shiftKey) chooseCell(s.column + x, s.row + y); else if (x) app.choose(s.group + x); };
    onKeys(root, {
      ArrowLeft: arrow(-1, 0), ArrowRight: arrow(1, 0), ArrowUp: arrow(0, -1), ArrowDown: arrow(0, 1), Home: () => app.choose(0), End: () => app.choose(groups - 1),
      ...next("image"), ...next("arm"), ...next("ruler"), ...(values.step.length > 1 ? { ",": step(-1), ".": step(1) } : {}),
    });

    function refresh() {
      if (quiet) return;
      const s = state();
      switches.forEach((one) => one.update());
      scrub.update(values.step.indexOf(s.record.step));
      about.textContent = `${s.record.image}, ${s.record.arm} training; ${s.record.ruler} ruler: ${model.get("rulers")[s.record.ruler] || ""}.`;
      [bars, totals, where, histogram].forEach((view) => view.update(s));
      listed.changed();
      outer.say(sentence(s));
    }
    function sentence({ record: r, group: g }) {
      const gain = r.without[g] - r.with[g], share = (100 * gain) / total(r.with);
      const amount = (sign) => `${(sign * gain / r.pixels).toFixed(3)} bits per pixel, ${(sign * share).toFixed(1)} % of R_y, ${grouped((sign * gain / 8).toFixed(0))} bytes`;
      const both = `Group ${g + 1}: ${grouped((r.with[g] / 8).toFixed(0))} bytes with, ${grouped((r.without[g] / 8).toFixed(0))} without the group before.`;
      if (g === 0) return `Group 1 has no group before it. The ruler's two fits differ by ${amount(1)}: the ruler's error.`;
      const negative = r.negative.length ? ` ${Math.round(100 * r.negative[g])} % of its latents cost more with it.` : "";
      return `${both} g${g} ${gain >= 0 ? `bought ${amount(1)}` : `cost ${amount(-1)}`}.${negative}`;
    }
    follow(model, [...KEYS, "group", "cell", "table"], () => refresh());
    const heard = ({ detail }) => { if (detail.from !== host && detail.name === model.get("image")) model.put("cell", detail.cell); };
    window.addEventListener("cca:cell", heard);
    cleanup.add(() => window.removeEventListener("cca:cell", heard));
    return cleanup.run;
  },
};
