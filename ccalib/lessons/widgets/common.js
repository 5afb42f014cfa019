// Shared by every ccalib widget: the Python base class puts this text in front of the widget's own module.
// Nothing here knows Jupyter: a host needs only a model with get/set/on/off/save_changes and an element.

const SVG_NS = "http://www.w3.org/2000/svg";

/** An HTML element: h("div", {class: "x", onclick: f}, child, "text"). */
function h(tag, attrs = {}, ...children) {
  return fill(document.createElement(tag), attrs, children);
}

/** An SVG element, same manner. */
function svg(tag, attrs = {}, ...children) {
  return fill(document.createElementNS(SVG_NS, tag), attrs, children);
}

function fill(node, attrs, children) {
  for (const [key, value] of Object.entries(attrs)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const thousands = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
const kilo = (n) => (n < 1000 ? `${Math.round(n)} B` : `${(n / 1000).toFixed(n < 10000 ? 2 : 1)} kB`);

/** Everything a view must undo when it goes away. */
function cleaner() {
  const jobs = [];
  return { add: (job) => jobs.push(job), run: () => jobs.splice(0).forEach((job) => job()) };
}

/** Call `update` now and whenever one of the traits changes. */
function follow(model, names, update) {
  for (const name of names) model.on(`change:${name}`, () => update());
  update();
}

/**
 * The model as a view should use it: `put` changes a trait at once for this view and tells the host when the hand rests.
 * Until then what comes from the host is ignored: Jupyter echoes each message, and a late echo must not undo a later move.
 */
function local(model, cleanup, wait = 150) {
  const unsent = new Map(), handlers = new Map();
  let timer = null;
  const send = () => {
    const changes = [...unsent];
    unsent.clear();
    changes.forEach(([name, value]) => model.set(name, value));
    model.save_changes();
  };
  cleanup.add(() => clearTimeout(timer));
  return {
    get: (name) => (unsent.has(name) ? unsent.get(name) : model.get(name)),
    put(name, value) {
      if (this.get(name) === value) return;
      unsent.set(name, value);
      handlers.forEach((inner, update) => { if (inner.event === `change:${name}`) update(); });
      clearTimeout(timer);
      timer = setTimeout(send, wait);
    },
    on(event, update) {
      const inner = () => { if (!unsent.has(event.replace("change:", ""))) update(); };
      inner.event = event;
      model.on(event, inner);
      cleanup.add(() => model.off(event, inner));
      handlers.set(update, inner);
    },
  };
}

/** An address for the bytes of an image, freed with the view. */
function addressOf(bytes, mime, cleanup) {
  if (typeof bytes === "string") return bytes; // a static page may give addresses itself
  const address = URL.createObjectURL(new Blob([bytes], { type: mime }));
  cleanup.add(() => URL.revokeObjectURL(address));
  return address;
}

/** Style of a box for the widget's pictures: their shape, as wide as there is room, at most 640 pixels high. */
function boxStyle(model) {
  const width = model.get("width"), height = model.get("height");
  return `aspect-ratio: ${width} / ${height}; max-width: ${Math.round((640 * width) / height)}px; margin: 0 auto`;
}

/** A stack of images in one place; show(i) makes one visible. All are decoded beforehand, so nothing flickers. */
function imageStack(model, cleanup) {
  const mime = model.get("mime");
  const images = model.get("images").map((bytes) =>
    h("img", { src: addressOf(bytes, mime, cleanup), alt: "", draggable: "false" }));
  const node = h("div", { class: "cca-stage", style: boxStyle(model) }, images);
  const show = (index) => images.forEach((image, i) => { image.style.visibility = i === index ? "visible" : "hidden"; });
  return { node, images, show };
}

/** Where in a box, from 0 at its left edge to 1 at its right, a pointer is. */
function fraction(event, node) {
  const box = node.getBoundingClientRect();
  return clamp((event.clientX - box.left) / (box.width || 1), 0, 1);
}

/** Make `node` draggable: report(fraction) while the pointer is down; `target` keeps the focus. */
function draggable(node, target, report) {
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    node.setPointerCapture(event.pointerId);
    target.focus({ preventScroll: true });
    report(fraction(event, node), event);
    const move = (e) => report(fraction(e, node), e);
    const stop = () => {
      node.removeEventListener("pointermove", move);
      node.removeEventListener("pointerup", stop);
      node.removeEventListener("pointercancel", stop);
    };
    node.addEventListener("pointermove", move);
    node.addEventListener("pointerup", stop);
    node.addEventListener("pointercancel", stop);
  });
}

/**
 * The frame around a widget: heading, "as table", the live sentence, and the keys.
 * `keys` is the visible hint. The widget puts its parts into `body` and says what is selected with `say`.
 */
function frame(model, el, { keys, cleanup }) {
  const save = model.put.bind(model);
  const body = h("div", { class: "cca-body" });
  const live = h("p", { class: "cca-live", "aria-live": "polite" });
  const toggle = h("button", {
    type: "button", class: "cca-button cca-as-table", tabindex: "-1",
    onclick: () => save("table", !model.get("table")),
  }, "as table");
  const table = h("table", { class: "cca-table" });
  const hasTable = model.get("columns").length > 0;
  const root = h("div", { class: "cca", role: "group", "aria-label": model.get("heading"), "data-lm-suppress-shortcuts": "true" },
    h("div", { class: "cca-head" }, h("span", { class: "cca-heading" }, model.get("heading")), hasTable ? toggle : null),
    body, live, table, h("p", { class: "cca-keys" }, keys + (hasTable ? " · T: as table" : "") + " · Esc: leave"));

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") document.activeElement.blur();
    else if (hasTable && event.key.toLowerCase() === "t") save("table", !model.get("table"));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  follow(model, ["table", "rows"], () => {
    const row = (cells, tag) => h("tr", {}, cells.map((cell) => h(tag, tag === "th" ? { scope: "col" } : {}, cell)));
    table.replaceChildren(h("thead", {}, row(model.get("columns"), "th")),
      h("tbody", {}, model.get("rows").map((cells) => row(cells, "td"))));
    table.style.display = model.get("table") ? "" : "none";
    toggle.setAttribute("aria-pressed", String(Boolean(model.get("table"))));
  });

  el.replaceChildren(root);
  cleanup.add(() => root.remove());
  return { root, body, save, say: (text) => { if (live.textContent !== text) live.textContent = text; } };
}

/** Keys of one control: onKeys(node, {ArrowLeft: f, ...}); handled keys go no further. */
function onKeys(node, actions) {
  node.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = actions[event.key] || actions[event.key.toLowerCase()];
    if (!action) return;
    action(event);
    event.preventDefault();
    event.stopPropagation();
  });
}
