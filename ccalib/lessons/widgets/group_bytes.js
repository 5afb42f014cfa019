// The bytes of one file as a strip, each part as wide as its share, and below it a card for each part.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const { body, save, say } = frame(model, el, { keys: "Hover or click a part, or ← →", cleanup });
    const names = model.get("names"), sizes = model.get("sizes"), colors = model.get("colors"), inks = model.get("inks");
    const notes = model.get("notes"), total = sizes.reduce((a, b) => a + b, 0), count = names.length;
    const W = 760, H = 178, strip = { y: 22, h: 46 }, card = { y: 102, h: 70, gap: 6 };
    const cardWidth = (W - card.gap * (count - 1)) / count;
    let start = 0;
    const places = [], last = { x: NaN, y: NaN };
    // Browsers report a move when the page scrolls under a resting pointer; that must not undo what the keys selected.
    const moved = ({ screenX, screenY }) => {
      const real = screenX !== last.x || screenY !== last.y;
      const first = Number.isNaN(last.x);
      Object.assign(last, { x: screenX, y: screenY });
      return real && !first;
    };
    const parts = names.map((name, i) => {
      const x = (W * start) / total, w = (W * sizes[i]) / total, cx = i * (cardWidth + card.gap);
      start += sizes[i];
      places.push({ x, w, cx });
      const percent = (100 * sizes[i]) / total;
      const node = svg("g", { class: "cca-part", onpointermove: (event) => { if (moved(event)) select(i); }, onclick: () => { select(i); root.focus(); } },
        svg("path", {
          d: `M${x},${strip.y + strip.h} L${cx},${card.y} H${cx + cardWidth} L${x + w},${strip.y + strip.h} Z`, fill: colors[i], opacity: ".28",
        }),
        svg("rect", { x, y: strip.y, width: w, height: strip.h, fill: colors[i], class: "cca-segment" }),
        w > 26 ? svg("text", { x: x + w / 2, y: strip.y + 28, "text-anchor": "middle", style: `fill: ${inks[i]}; font-weight: 650` }, name) : null,
        svg("rect", { x: cx, y: card.y, width: cardWidth, height: card.h, rx: 5, class: "cca-card" }),
        svg("rect", { x: cx, y: card.y, width: cardWidth, height: 5, fill: colors[i] }),
        svg("text", { x: cx + cardWidth / 2, y: card.y + 23, "text-anchor": "middle", style: "font-weight: 650" }, name),
        svg("text", { x: cx + cardWidth / 2, y: card.y + 41, "text-anchor": "middle" }, `${thousands(sizes[i])} B`),
        svg("text", { x: cx + cardWidth / 2, y: card.y + 58, "text-anchor": "middle", class: "soft" },
          `${percent.toFixed(1)} %${notes[i] ? ` · ${notes[i]}` : ""}`));
      return node;
    });
    const rings = [svg("rect", { y: strip.y, height: strip.h, class: "cca-ring" }),
      svg("rect", { y: card.y, height: card.h, width: cardWidth, rx: 5, class: "cca-ring" })];
    const drawing = svg("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" },
      svg("text", { x: 0, y: 13, class: "soft" }, "first byte"),
      svg("text", { x: W, y: 13, "text-anchor": "end", class: "soft" }, "last byte"),
      svg("text", { x: W / 2, y: 13, "text-anchor": "middle", class: "soft" }, `one file, ${thousands(total)} bytes`), parts, rings);
    const root = h("div", { tabindex: "0", class: "cca-focus cca-bytes", role: "slider", "aria-label": "part of the file", "aria-valuemin": "0", "aria-valuemax": String(count - 1) }, drawing);
    body.append(root, h("p", { class: "cca-sum" }, `${sizes.map(thousands).join(" + ")} = ${thousands(total)} bytes`));

    const select = (i) => save("selected", clamp(i, 0, count - 1));
    onKeys(root, {
      ArrowLeft: () => select(model.get("selected") - 1), ArrowRight: () => select(model.get("selected") + 1),
      Home: () => select(0), End: () => select(count - 1),
    });
    follow(model, ["selected"], () => {
      const selected = clamp(model.get("selected"), 0, count - 1);
      parts.forEach((part, i) => part.classList.toggle("cca-on", i === selected));
      rings[0].setAttribute("x", places[selected].x);
      rings[0].setAttribute("width", Math.max(places[selected].w, 1));
      rings[1].setAttribute("x", places[selected].cx);
      root.setAttribute("aria-valuenow", String(selected));
      root.setAttribute("aria-valuetext", model.get("sentences")[selected]);
      say(model.get("sentences")[selected]);
    });
    return cleanup.run;
  },
};
