// The inspector: one latent, everything about it, in six linked views. See inspector.py for what each trait holds.

export default {
  async render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup), shared = address(host.get("name"), cleanup);
    const latents = await loadLatents(model);

    // ---- state: traits, read in one place and changed in one place --------------------------------------------------
    const selection = () => {
      const [column, row] = model.get("cell"), channel = model.get("channel"), asked = tour.asked();
      const group = latents.groupOf(channel);
      return { column, row, channel, group, at: latents.index(channel, row, column), previous: model.get("previous"), heat: model.get("heat"), asked };
    };
    const order = ({ group, row, column }) => {
      const from = latents.first[group], all = Array.from({ length: latents.sizes[group] }, (_, i) => from + i);
      const bits = (c) => latents.bitsOf(latents.index(c, row, column));
      return all.sort((a, b) => bits(b) - bits(a) || a - b);
    };
    let quiet = 0; // changes that belong together are drawn once
    const together = (change) => { quiet += 1; change(); quiet -= 1; refresh(); };
    const choose = ({ column, row, channel }) => together(() => {
      const s = selection();
      if (s.asked) tour.close();
      const cell = [clamp(column ?? s.column, 0, latents.columns - 1), clamp(row ?? s.row, 0, latents.rows - 1)];
      const other = cell[0] !== s.column || cell[1] !== s.row;
      if (other) model.put("cell", cell);
      model.put("channel", clamp(channel ?? s.channel, 0, latents.channels - 1));
      shared.write(...cell, model.get("channel"));
      if (other) tell({ name: model.get("name"), cell, from: host });
    });
    const chooseGroup = (group) => {
      const s = selection(), wanted = clamp(group, 0, latents.sizes.length - 1);
      if (wanted !== s.group) choose({ channel: order({ ...s, group: wanted })[0] });
    };
    const app = {
      model, latents, selection, order, choose, chooseGroup, refresh: () => refresh(),
      put: (name, value) => together(() => model.put(name, value)),
      focus: () => root.focus({ preventScroll: true }),
      ask: (latent) => { host.set("wanted", latent); host.save_changes(); },
      onAnswer: (learn) => { const heard = () => learn(host.get("answer")); host.on("change:answer", heard); cleanup.add(() => host.off("change:answer", heard)); },
    };

    // ---- views ------------------------------------------------------------------------------------------------------
    const tour = tourView(app);
    const [where, when, which] = [whereView, whenView, whichView].map((make) => make(app, cleanup));
    const [likely, from, much] = [likelyView, supportView, ledgerView].map((make) => make(app, cleanup));
    const views = [where, when, which, likely, from, much], column = (...some) => h("div", { class: "cca-column" }, some.map((view) => view.node));
    const root = h("div", { tabindex: "0", class: "cca-focus cca-inspector", role: "application", "aria-label": `inspector of ${model.get("name")}` },
      tour.node, h("div", { class: "cca-views" }, when.node, column(where, from), column(which, likely), much.node));
    const listed = withRows(model, () => {
      const s = selection();
      return order(s).map((channel) => {
        const at = latents.index(channel, s.row, s.column), [file, now, other] = ACCOUNTS.map((name) => latents.entry(name, at));
        const numbers = [file.bits, now.bits, other.bits, latents.gain(at)].map(twoDecimals);
        return [channel - latents.first[s.group] + 1, file.symbol, file.mean.toFixed(2), probability(file.bits), ...numbers].map(String);
      });
    });
    const outer = frame(listed.seen, el, {
      keys: "Arrows: cell · PgUp PgDn: channel · [ ] or , . : group · P: group before on/off · H: heat map · 1–6: tour", cleanup,
    });
    outer.root.classList.add("cca-wide");
    outer.body.append(root);

    // ---- keys -------------------------------------------------------------------------------------------------------
    const step = (x, y) => (event) => { const s = selection(), by = event.shiftKey ? 4 : 1; choose({ column: s.column + by * x, row: s.row + by * y }); };
    const rank = (by) => () => { const s = selection(), all = order(s); choose({ channel: all[clamp(all.indexOf(s.channel) + by, 0, all.length - 1)] }); };
    const group = (by) => () => chooseGroup(selection().group + by);
    let lastHeat = model.get("heat") === "off" ? "group" : model.get("heat");
    const keys = {
      ArrowLeft: step(-1, 0), ArrowRight: step(1, 0), ArrowUp: step(0, -1), ArrowDown: step(0, 1), PageUp: rank(-1), PageDown: rank(1),
      "[": group(-1), ",": group(-1), "]": group(1), ".": group(1), p: () => app.put("previous", !model.get("previous")),
      h: () => { const now = model.get("heat"); if (now !== "off") lastHeat = now; app.put("heat", now === "off" ? lastHeat : "off"); },
      Escape: () => (tour.isOpen() ? tour.close() : root.blur()),
    };
    model.get("stops").forEach((_, i) => { keys[String(i + 1)] = () => tour.open(i); });
    [..."abcd"].forEach((letter, i) => { keys[letter] = () => tour.guess(i); });
    onKeys(root, keys);

    // ---- one update for everything ----------------------------------------------------------------------------------
    function refresh() {
      if (quiet) return;
      const started = performance.now(), s = selection();
      if (s.heat !== "off") lastHeat = s.heat;
      tour.update();
      root.classList.toggle("cca-asking", Boolean(s.asked));
      const seen = s.asked ? { ...s, column: s.asked.column, row: s.asked.row } : s; // the question shows where, no more
      views[0].update(seen);
      if (!s.asked) views.slice(1).forEach((view) => view.update(s));
      listed.changed();
      outer.say(tour.said() || sentence(s));
      root.dataset.drawn = (performance.now() - started).toFixed(1);
    }
    function sentence(s) {
      const [file, now, other] = ACCOUNTS.map((name) => latents.entry(name, s.at)), g = s.group, gain = latents.gain(s.at);
      const said = `Cell ${s.column}, ${s.row}, group ${g + 1}, channel ${s.channel - latents.first[g] + 1} of ${latents.sizes[g]}: symbol ${file.symbol}, P ${probability(file.bits)}, ${twoDecimals(file.bits)} bits in the file.`;
      if (g === 0) return `${said} No group is before it; the ruler's two fits differ by ${twoDecimals(Math.abs(gain))} bits: its error.`;
      return `${said} By the ruler ${twoDecimals(now.bits)} bits with g${g}, ${twoDecimals(other.bits)} without: g${g} ${gain >= 0 ? "bought" : "cost"} ${twoDecimals(Math.abs(gain))}.`;
    }
    follow(model, ["cell", "channel", "previous", "heat", "guesses", "table"], () => refresh());

    // ---- the page's address, and other widgets of the same photograph -----------------------------------------------
    const fromAddress = () => { const found = shared.read(); if (found) choose({ column: found[0], row: found[1], channel: found[2] }); };
    const heard = ({ detail }) => {
      if (detail.from === host || detail.name !== model.get("name")) return;
      const [column, row] = detail.cell, s = { ...selection(), column, row };
      choose({ column, row, channel: detail.group === undefined || detail.group === s.group ? undefined : order({ ...s, group: detail.group })[0] });
    };
    window.addEventListener("hashchange", fromAddress);
    window.addEventListener("cca:cell", heard);
    cleanup.add(() => { window.removeEventListener("hashchange", fromAddress); window.removeEventListener("cca:cell", heard); });
    fromAddress();
    return cleanup.run;
  },
};
