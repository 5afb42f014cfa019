// Where the loss is smallest, over α and λ: a map to click on (from data/results/toy_phases.json, counted beforehand).

/** The map's node (null without one), the nearest of its places, and its words. */
function phaseMap(model, save) {
  const places = model.get("map"), alphas = model.get("alphas"), lambdas = model.get("lambdas");
  if (!places.length) return { node: null, place: () => null, say: () => "" };
  const W = 760, left = 52, top = 26, w = 20, hgt = 9, x = (i) => left + i * w, y = (i) => top + (lambdas.length - 1 - i) * hgt;
  const right = x(alphas.length), bottom = top + lambdas.length * hgt;
  const cells = places.map((p, n) => {
    const at = { x: x(n % alphas.length), y: y(Math.floor(n / alphas.length)), width: w + 0.4, height: hgt + 0.4 };
    return svg("rect", { ...at, fill: p.color });
  });
  const marks = places.flatMap((p, n) => (p.valley === "copy"
    ? [svg("path", { class: "cca-toy-copy", d: `M${x(n % alphas.length) + 3},${y(Math.floor(n / alphas.length)) + hgt - 2}l${w - 6},${4 - hgt}` })] : []));
  const dot = svg("circle", { r: 6, class: "cca-toy-ball" }), field = svg("g", {}, cells, marks, dot);
  const ticks = [0, 0.25, 0.5, 0.75].map((a) => svg("text", { x: x(a / 0.05) + w / 2, y: bottom + 15, "text-anchor": "middle", class: "soft" }, String(a)))
    .concat([1, 8, 64].map((l) => svg("text", { x: left - 6, y: y(lambdas.indexOf(l)) + hgt, "text-anchor": "end", class: "soft" }, String(l))));
  const words = [0, 1, 2, 3].map((i) => svg("text", { x: right + 22, y: top + 66 + 20 * i, class: i ? null : "cca-toy-gain" }));
  const legend = [["90° apart", places.reduce((a, b) => (b.opening > a.opening ? b : a)).color], ["closing", model.get("middle")], ["one direction: a copy (struck through)", places.find((p) => p.valley === "copy").color]]
    .flatMap(([text, color], i) => [svg("rect", { x: right + 22, y: top + 14 * i * 1.2, width: 12, height: 12, fill: color }), svg("text", { x: right + 40, y: top + 10 + 14 * i * 1.2, class: "soft" }, text)]);
  const picture = svg("svg", { viewBox: `0 0 ${W} ${bottom + 34}`, "aria-hidden": "true", class: "cca-toy-map" }, field, ticks, words, legend,
    svg("text", { x: left, y: top - 10 }, "where J is smallest: the angle between the arrows (click)"),
    svg("text", { x: (left + right) / 2, y: bottom + 30, "text-anchor": "middle", class: "soft" }, "α"), svg("text", { x: 14, y: (top + bottom) / 2, class: "soft" }, "λ"));
  const near = (list, value, f) => list.reduce((best, v, i) => (Math.abs(f(v) - f(value)) < Math.abs(f(list[best]) - f(value)) ? i : best), 0);
  const index = () => near(lambdas, model.get("lam"), Math.log) * alphas.length + near(alphas, model.get("alpha"), (v) => v);
  const place = () => places[index()];
  draggable(field, picture, (_, event) => {
    const box = picture.getBoundingClientRect(), k = W / (box.width || 1);
    const a = clamp(Math.floor(((event.clientX - box.left) * k - left) / w), 0, alphas.length - 1);
    const l = clamp(Math.floor((bottom - (event.clientY - box.top) * k) / hgt), 0, lambdas.length - 1);
    save("alpha", alphas[a]); save("lam", lambdas[l]);
  });
  follow(model, ["alpha", "lam"], () => {
    const n = index(), p = places[n];
    dot.setAttribute("cx", x(n % alphas.length) + w / 2); dot.setAttribute("cy", y(Math.floor(n / alphas.length)) + hgt / 2);
    [`lowest: ${p.valley}`, `J = ${p.j.toFixed(2)}, R + λD = ${p.plain.toFixed(2)}`, `R = ${p.rate.toFixed(2)}, I = ${p.gain.toFixed(2)} bits`, `${Math.round(p.opening)}° apart`]
      .forEach((text, i) => { words[i].textContent = text; });
  });
  return { node: picture, place, say: () => { const p = place(); return ` Lowest J near here: ${p.valley}, ${p.j.toFixed(2)}, with R + λD = ${p.plain.toFixed(2)}.`; } };
}
