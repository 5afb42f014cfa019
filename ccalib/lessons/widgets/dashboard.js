// A training: rate by group, loss terms, distortion, learning rate over the steps, and the picture of the chosen step.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup), colors = model.get("colors");
    const TRAITS = ["records", "shots", "pictures", "selected", "running", "total"];

    // ---- what is chosen: a record, and the newest picture not after it -------------------------------------------------
    const state = () => {
      const records = model.get("records"), shots = model.get("shots"), running = model.get("running"), chosen = model.get("selected");
      const at = chosen < 0 ? records.length - 1 : Math.min(chosen, records.length - 1), record = records[at] || null;
      const steps = [...records.map((r) => r.step), ...shots.map((s) => s.step)];
      const begin = Math.min(...steps, records.length ? records[0].step : 0), end = Math.max(...steps, running ? model.get("total") : 0, begin + 1);
      const step = record && at < records.length - 1 ? record.step : Infinity;
      return { records, shots, running, at, record, begin, end, shot: shots.filter((s) => s.step <= step).length - 1, following: chosen < 0 };
    };
    const choose = (at) => model.put("selected", at >= model.get("records").length - 1 ? -1 : Math.max(at, 0));
    const nearest = (step) => model.get("records").reduce((best, r, i, all) => (Math.abs(r.step - step) < Math.abs(all[best].step - step) ? i : best), 0);
    const go = (step) => { halt(); choose(nearest(step)); };
    const move = (by) => () => { halt(); choose(state().at + by); };
    const toShot = (by) => () => {
      halt();
      const { shots, shot, records } = state(), wanted = shots[clamp(shot + by, 0, shots.length - 1)];
      if (wanted) choose(records.findIndex((r) => r.step >= wanted.step));
    };

    // ---- playing -----------------------------------------------------------------------------------------------------
    let timer = null;
    const halt = () => { clearInterval(timer); timer = null; playing.textContent = "▶ play"; playing.setAttribute("aria-pressed", "false"); };
    const play = () => {
      if (timer) { halt(); return; }
      const count = model.get("records").length;
      let at = state().following ? 0 : state().at;
      playing.textContent = "❚❚ pause";
      playing.setAttribute("aria-pressed", "true");
      choose(at);
      timer = setInterval(() => { at += 1; if (at >= count) halt(); else choose(at); }, clamp(6000 / count, 40, 400));
    };
    const playing = h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { play(); root.focus({ preventScroll: true }); } });
    const latest = h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { halt(); model.put("selected", -1); root.focus({ preventScroll: true }); } }, "to the end");
    cleanup.add(() => clearInterval(timer));

    // ---- views -------------------------------------------------------------------------------------------------------
    const app = { focus: (how) => root.focus(how) };
    const key = (style, words) => h("span", { class: "cca-legend-item" }, h("span", { class: "cca-key", style }), words);
    const bar = (kind, words) => h("span", { class: "cca-legend-item" }, h("span", { class: `cca-stroke ${kind}` }), words);
    const legends = {
      rate: h("div", { class: "cca-legend-line" }, colors.map((color, i) => key(`background: ${color}`, i ? `g${i}` : "z"))),
      terms: h("div", { class: "cca-legend-line" }, bar("cca-of-sum", "R + λD"), bar("cca-of-rate", "R"), bar("cca-of-cost", "λD")),
    };
    const chart = (name, title, height, shape, legend = null) => stepsChart(name, title, height, shape, legend, go, app, cleanup);
    const rates = chart("rates", "Rate", 190, rateShape(colors), legends.rate), terms = chart("terms", "Loss terms", 170, termsShape, legends.terms);
    const errors = chart("errors", "Distortion", 150, logShape("cca-of-cost", (r) => r.d, 1e-3)), learning = chart("learning", "Learning rate", 84, rateOfLearning);
    rates.about("bits per pixel of the crops, by group");
    terms.about("bits per pixel, means over the crops");
    errors.about("D, the mean squared error of the crops (0 … 255); logarithmic");
    const picture = pictureView(model, cleanup), rail = stepsRail(go, app, cleanup);
    const pictured = model.get("shots").length > 0 || model.get("running") || !model.get("records").length; // a log keeps none
    const columns = pictured ? [[picture, errors], [rates, terms, learning]] : [[rates, learning], [terms, errors]];
    const root = rail.node; // the slider; buttons stand beside it, since what is inside a slider is hidden from a screen reader
    const rows = () => {
      const { records } = state(), count = Math.min(10, records.length), some = [...new Set(Array.from({ length: count }, (_, i) => Math.round((i * (records.length - 1)) / Math.max(count - 1, 1))))];
      return some.map((i) => { const r = records[i]; return [thousands(r.step), ...[rateOf(r), r.z, r.groups[0], r.d, r.cost, r.sum, r.lr].map((v) => String(Number(v.toPrecision(3))))]; });
    };
    const listed = withRows(model, rows);
    const outer = frame(listed.seen, el, { keys: "← →: a step · , .: picture before, after · Home, End · P: play", cleanup });
    outer.root.classList.add("cca-wide");
    outer.body.append(h("div", { class: "cca-rail-row" }, root, playing, latest),
      h("div", { class: "cca-views" }, columns.map((views) => h("div", { class: "cca-column" }, views.map((view) => view.node)))));
    onKeys(root, { ArrowLeft: move(-1), ArrowRight: move(1), PageDown: move(-10), PageUp: move(10), Home: () => { halt(); choose(0); }, End: () => { halt(); model.put("selected", -1); },
      ",": toShot(-1), ".": toShot(1), p: play });
    halt();

    const sentence = ({ record: r, records, shots, shot, running }) => {
      if (!r) return "Waiting for the first steps of the training.";
      const seen = shots[shot], last = records[records.length - 1].step, total = model.get("total");
      const place = running ? `Training, step ${thousands(r.step)} of ${thousands(Math.max(total, last))}` : `Step ${thousands(r.step)} of ${thousands(last)}`;
      return `${place}: R = ${rateOf(r).toFixed(2)} bits per pixel (z ${r.z.toFixed(3)}, first group ${r.groups[0].toFixed(3)}), D = ${r.d.toFixed(1)} (${psnrOf(r.d).toFixed(1)} dB), R + λD = ${r.sum.toFixed(2)}, learning rate ${short(r.lr)}.`
        + (seen ? ` The picture is of step ${thousands(seen.step)}: ${seen.psnr.toFixed(1)} dB at ${seen.bpp.toFixed(2)} bits per pixel.` : "");
    };
    let said = -1;
    follow(model, [...TRAITS, "table"], () => {
      const s = state();
      [rates, terms, errors, learning, picture, rail].forEach((view) => view.update(s));
      listed.changed();
      latest.disabled = s.following;
      playing.disabled = s.running || s.records.length < 2;
      const text = sentence(s);
      root.setAttribute("aria-valuemax", String(Math.max(s.records.length - 1, 0)));
      root.setAttribute("aria-valuenow", String(Math.max(s.at, 0)));
      root.setAttribute("aria-valuetext", text);
      if (!s.running || !s.following || said !== s.shots.length) outer.say(text); // while it runs, one sentence a picture is enough
      said = s.shots.length;
    });
    return cleanup.run;
  },
};
