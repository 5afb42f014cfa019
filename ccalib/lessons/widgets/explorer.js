// The latents of one place by energy: a sheet of thumbnails, and the chosen one enlarged beside the photograph.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const places = model.get("places"), channels = model.get("channels"), tile = model.get("tile"), K = channels.length;
    const { body, save, say } = frame(model, el, {
      keys: `Click, or ← → ↑ ↓: channel · 1–${places.length}: place · A: alone or in the photograph`, cleanup,
    });
    const mime = model.get("mime"), addresses = model.get("images").map((bytes) => addressOf(bytes, mime, cleanup));
    const width = model.get("width"), height = model.get("height"), cells = model.get("cells"), corners = model.get("corners");
    const perRow = () => Math.max(1, getComputedStyle(grid).gridTemplateColumns.split(" ").length);

    // The photograph with the places outlined.
    const label = `font-size: ${width / 26}px`;
    const marks = cells.map(([x, y], i) => svg("g", { class: "cca-ex-place", onclick: () => save("place", i) },
      svg("rect", { x: x - 24, y: y - 24, width: 64, height: 64, class: "cca-ex-near" }),
      svg("rect", { x, y, width: 16, height: 16 }), svg("text", x < 0.7 * width ? { x: x + 26, y: y + 14, style: label } : { x: x - 10, y: y + 14, style: label, "text-anchor": "end" }, places[i])));
    const photo = h("div", { class: "cca-stage cca-ex-where", style: `aspect-ratio: ${width} / ${height}` },
      h("img", { src: addresses[0], alt: "", draggable: "false" }),
      svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, marks));

    // Two squares of the same size: what is there, and what the latent paints.
    const own = svg("rect", { width: 16, height: 16, class: "cca-ex-own-cell" }), other = own.cloneNode();
    const square = (mark, label) => {
      const node = h("div", { class: "cca-ex-square" }, svg("svg", { viewBox: `0 0 ${tile} ${tile}`, "aria-hidden": "true" }, mark));
      return { node, box: h("figure", { class: "cca-ex-figure" }, node, h("figcaption", {}, label)) };
    };
    const here = square(own, "the photograph here"), stroke = square(other, "what the latent paints");
    const paint = (node, address, size, x, y) => {
      node.style.backgroundImage = `url("${address}")`;
      node.style.backgroundSize = `${(100 * size[0]) / tile}% ${(100 * size[1]) / tile}%`;
      const part = (at, whole) => (whole > tile ? (100 * at) / (whole - tile) : 0);
      node.style.backgroundPosition = `${part(x, size[0])}% ${part(y, size[1])}%`;
    };

    const thumbs = channels.map((channel, i) => h("div", {
      class: "cca-ex-thumb", role: "option", "aria-label": `channel ${channel}`, onclick: () => { save("selected", i); grid.focus(); },
    }, h("div", { class: "cca-ex-square" }), h("span", {}, model.get("captions")[i])));
    const grid = h("div", { class: "cca-ex-thumbs cca-focus", role: "listbox", tabindex: "0", "aria-label": "channels by energy" }, thumbs);
    const buttons = places.map((name, i) => h("button", { type: "button", class: "cca-button", role: "radio", tabindex: "-1",
      onclick: () => { save("place", i); grid.focus(); } }, `(${i + 1}) ${name}`));
    const alone = h("button", { type: "button", class: "cca-button", tabindex: "-1",
      onclick: () => { save("alone", !model.get("alone")); grid.focus(); } }, "alone");
    body.append(h("div", { class: "cca-ex-upper" }, photo, here.box, stroke.box),
      h("div", { class: "cca-bar" }, h("span", { class: "cca-bar-label" }, "place:"),
        h("span", { class: "cca-bar", style: "margin: 0", role: "radiogroup" }, buttons), alone),
      h("div", { class: "cca-bar-label" }, "channels, the one with the most energy first:"), grid);

    const move = (by) => () => save("selected", clamp(model.get("selected") + (typeof by === "function" ? by() : by), 0, K - 1));
    const keys = { ArrowLeft: move(-1), ArrowRight: move(1), ArrowUp: move(() => -perRow()), ArrowDown: move(perRow),
      Home: () => save("selected", 0), End: () => save("selected", K - 1), a: () => save("alone", !model.get("alone")) };
    places.forEach((_, i) => { keys[String(i + 1)] = () => save("place", i); });
    onKeys(grid, keys);

    follow(model, ["selected", "place", "alone"], () => {
      const place = clamp(model.get("place"), 0, places.length - 1), selected = clamp(model.get("selected"), 0, K - 1);
      const way = 2 * place + (model.get("alone") ? 1 : 0), sheet = [tile, tile * K];
      const [x, y] = corners[place], at = [cells[place][0] - x, cells[place][1] - y];
      for (const mark of [own, other]) { mark.setAttribute("x", at[0]); mark.setAttribute("y", at[1]); }
      paint(here.node, addresses[0], [width, height], x, y);
      paint(stroke.node, addresses[1 + way], sheet, 0, tile * selected);
      thumbs.forEach((thumb, i) => {
        paint(thumb.firstChild, addresses[1 + way], sheet, 0, tile * i);
        thumb.setAttribute("aria-selected", String(i === selected));
      });
      marks.forEach((mark, i) => mark.classList.toggle("cca-on", i === place));
      buttons.forEach((button, i) => button.setAttribute("aria-checked", String(i === place)));
      alone.setAttribute("aria-pressed", String(Boolean(model.get("alone"))));
      say(model.get("sentences")[way * K + selected]);
    });
    return cleanup.run;
  },
};
