// Two pictures in one place and a divider to drag between them.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const labels = model.get("labels"), mime = model.get("mime");
    const several = labels.length > 2 ? ` · 1–${labels.length - 1}: choose the right picture` : "";
    const { body, save, say } = frame(model, el, {
      keys: `Drag on the picture, or ← → (Shift: faster) · Z: zoom in at the divider, then out${several}`, cleanup,
    });
    const addresses = model.get("images").map((bytes) => addressOf(bytes, mime, cleanup));
    const layer = (address) => {
      const image = h("img", { src: address, alt: "", draggable: "false" });
      return { image, node: h("div", { class: "cca-layer" }, image) };
    };
    const layers = addresses.map(layer);
    const left = h("span", { class: "cca-chip", style: "left: 8px; top: 8px" }, labels[0]);
    const right = h("span", { class: "cca-chip", style: "right: 8px; top: 8px" });
    const line = h("div", {
      class: "cca-divider", role: "slider", tabindex: "0", "aria-label": "divider", "aria-valuemin": "0", "aria-valuemax": "100",
    }, h("div", { class: "cca-grip", "aria-hidden": "true" }, "◂▸"));
    const stage = h("div", { class: "cca-stage cca-wipe", style: boxStyle(model) },
      layers.map((one) => one.node), line, left, right);
    body.append(stage);

    const choose = (index) => save("candidate", clamp(index, 0, layers.length - 2));
    const choices = labels.slice(1).map((label, i) =>
      h("button", { type: "button", class: "cca-button", role: "radio", tabindex: "-1", onclick: () => { choose(i); line.focus(); } },
        `(${i + 1}) ${label}`));
    const zoomButton = h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { zoom(); line.focus(); } });
    body.append(h("div", { class: "cca-bar" },
      choices.length > 1 ? h("span", { class: "cca-bar-label" }, "right of the line:") : null,
      choices.length > 1 ? h("span", { class: "cca-bar", style: "margin: 0", role: "radiogroup" }, choices) : null, zoomButton));

    // The point of the picture that keeps its place while zooming: where the divider was last put.
    let centre = { x: model.get("position"), y: model.get("focus_y") };
    const zoom = () => {
      const next = { 1: 2, 2: 4, 4: 1 }[model.get("zoom")] || 1;
      if (model.get("zoom") === 1) centre = { x: model.get("position"), y: model.get("focus_y") };
      save("zoom", next);
    };
    const move = (by) => save("position", clamp(model.get("position") + by, 0, 1));
    draggable(stage, line, (x, event) => {
      const box = stage.getBoundingClientRect();
      if (model.get("zoom") === 1) save("focus_y", clamp((event.clientY - box.top) / (box.height || 1), 0, 1));
      save("position", x);
    });
    const keys = {
      ArrowLeft: (e) => move(e.shiftKey ? -0.1 : -0.02), ArrowRight: (e) => move(e.shiftKey ? 0.1 : 0.02),
      Home: () => save("position", 0), End: () => save("position", 1), z: zoom,
    };
    choices.forEach((_, i) => { keys[String(i + 1)] = () => choose(i); });
    onKeys(line, keys);

    follow(model, ["position", "candidate", "zoom"], () => {
      const position = model.get("position"), candidate = model.get("candidate"), scale = model.get("zoom");
      const percent = Math.round(100 * position);
      line.style.left = `${100 * position}%`;
      const x = clamp(centre.x * (1 - scale), 1 - scale, 0), y = clamp(centre.y * (1 - scale), 1 - scale, 0);
      layers.forEach(({ node, image }, i) => {
        node.style.visibility = i === 0 || i === candidate + 1 ? "visible" : "hidden";
        node.style.clipPath = i === 0 ? "none" : `inset(0 0 0 ${100 * position}%)`;
        image.style.transform = `translate(${100 * x}%, ${100 * y}%) scale(${scale})`;
        image.style.imageRendering = scale > 1 ? "pixelated" : "auto";
      });
      right.textContent = labels[candidate + 1];
      choices.forEach((button, i) => button.setAttribute("aria-checked", String(i === candidate)));
      zoomButton.textContent = `zoom ${scale}×`;
      line.setAttribute("aria-valuenow", String(percent));
      line.setAttribute("aria-valuetext", `${percent} % ${labels[0]}, the rest ${labels[candidate + 1]}`);
      say(`Left of the line (${percent} % of the width): ${labels[0]}. Right of it: ${labels[candidate + 1]}.` +
        (scale > 1 ? ` Enlarged ${scale} times.` : ""));
    });
    return cleanup.run;
  },
};
