// A slider over the bytes of a real file: what a file cut there still shows.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const { body, save, say } = frame(model, el, {
      keys: "Drag on the strip, or ← → (Shift: fine) · PgUp PgDn: next whole group · Home End", cleanup,
    });
    const names = model.get("names"), ends = model.get("ends"), colors = model.get("colors"), inks = model.get("inks");
    const total = ends[ends.length - 1], groups = names.length - 2;
    const stack = imageStack(model, cleanup);
    const chip = h("span", { class: "cca-chip", style: "left: 8px; top: 8px" });
    const refused = h("div", { class: "cca-refused" });
    stack.node.append(refused, chip);

    const W = 760, top = 6, height = 34;
    const start = (i) => (i === 0 ? 0 : ends[i - 1]);
    const px = (bytes) => (W * bytes) / total;
    const segments = names.map((name, i) => svg("g", {},
      svg("rect", { x: px(start(i)), y: top, width: px(ends[i] - start(i)), height, fill: colors[i], class: "cca-cut-part" }),
      px(ends[i] - start(i)) > 22
        ? svg("text", { x: px((start(i) + ends[i]) / 2), y: top + 22, "text-anchor": "middle", style: `fill: ${inks[i]}; font-weight: 650` }, name)
        : null,
      svg("line", { x1: px(ends[i]), x2: px(ends[i]), y1: top - 4, y2: top + height + 6, class: "cca-cut-mark" })));
    const gone = svg("rect", { y: top - 1, height: height + 2, class: "cca-cut-gone" });
    const dropped = svg("rect", { y: top, height, class: "cca-cut-dropped" });
    const handle = svg("g", { class: "cca-cut-handle" },
      svg("line", { x1: 0, x2: 0, y1: top - 6, y2: top + height + 10 }), svg("circle", { cx: 0, cy: top + height + 12, r: 7 }));
    const hatch = `cca-hatch-${Math.random().toString(36).slice(2)}`;
    dropped.setAttribute("fill", `url(#${hatch})`);
    const marks = svg("g", {}, labelled(ends, px).map(({ x, text }) =>
      svg("text", { x, y: top + height + 34, "text-anchor": x < 20 ? "start" : x > W - 20 ? "end" : "middle", class: "soft", style: "font-size: 11.5px" }, text)));
    const strip = h("div", { class: "cca-focus cca-cut", role: "slider", tabindex: "0", "aria-label": "bytes kept", "aria-valuemin": "0", "aria-valuemax": String(total) },
      svg("svg", { viewBox: `0 -4 ${W} 80`, "aria-hidden": "true" },
        svg("defs", {}, svg("pattern", { id: hatch, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
          svg("rect", { width: 7, height: 7, fill: "rgba(255,255,255,.55)" }), svg("rect", { width: 3, height: 7, fill: "rgba(0,0,0,.7)" }))),
        segments, gone, dropped, marks, handle));
    body.append(stack.node, strip);

    const cut = (bytes) => save("cut", Math.round(clamp(bytes, 0, total)));
    const step = (event) => (event.shiftKey ? 1 : Math.max(1, Math.round(total / 100)));
    draggable(strip, strip, (x) => cut(x * total));
    onKeys(strip, {
      ArrowLeft: (e) => cut(model.get("cut") - step(e)), ArrowRight: (e) => cut(model.get("cut") + step(e)),
      PageUp: () => cut(ends.slice(1).find((end) => end > model.get("cut")) ?? total),
      PageDown: () => cut([...ends.slice(1)].reverse().find((end) => end < model.get("cut")) ?? 0),
      Home: () => cut(0), End: () => cut(total),
    });

    follow(model, ["cut"], () => {
      const bytes = clamp(model.get("cut"), 0, total);
      const whole = ends.filter((end) => end <= bytes).length; // parts that are complete: header, z, g1 ...
      const held = whole - 2; // groups; below 0 the file cannot be decoded
      const kept = whole === 0 ? 0 : ends[whole - 1];
      handle.setAttribute("transform", `translate(${px(bytes)}, 0)`);
      gone.setAttribute("x", px(bytes));
      gone.setAttribute("width", Math.max(0, W - px(bytes) + 1));
      dropped.setAttribute("x", px(kept));
      dropped.setAttribute("width", Math.max(0, px(bytes) - px(kept)));
      const at = `Cut after ${thousands(bytes)} of ${thousands(total)} bytes (${Math.round((100 * bytes) / total)} %)`;
      let sentence;
      if (held < 0) {
        stack.show(-1);
        const where = whole === 0 ? "header" : "z";
        refused.textContent = `No picture: the file ends inside ${where === "z" ? "the hyper-latent z" : "its header"}.`;
        chip.textContent = `${thousands(bytes)} bytes · refused (CcaError)`;
        sentence = `${at}: inside ${where}, so the decoder refuses it with CcaError.`;
      } else {
        stack.show(held);
        refused.textContent = "";
        chip.textContent = `${kilo(bytes)} · ${model.get("captions")[held]}`;
        const rest = bytes - kept;
        sentence = `${at}: ${model.get("sentences")[held]}${rest > 0 ? ` ${thousands(rest)} bytes of g${held + 1} are dropped.` : ""}`;
      }
      strip.setAttribute("aria-valuenow", String(bytes));
      strip.setAttribute("aria-valuetext", sentence);
      stack.node.setAttribute("data-held", String(held));
      say(sentence);
    });
    return cleanup.run;

    function labelled(offsets, toX) {
      // Byte marks under the strip, left out where they would touch.
      const list = [];
      let last = -100;
      offsets.forEach((end, i) => {
        const x = toX(end), final = i === offsets.length - 1;
        if (!final && (x - last < 52 || toX(total) - x < 72)) return;
        list.push({ x, text: thousands(end) });
        last = x;
      });
      return list;
    }
  },
};
