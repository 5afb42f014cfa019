// The static host: what a widget's module needs of Jupyter, on a page without a kernel. A classic script, because a
// page from file:// may import modules from blobs only. Used by the site and by the browser tests.

const ccaHost = (() => {
  const loaded = new Map(); // text of a module -> what it exports

  /** A model with get, set, on, off and save_changes. `asked(name)` hears of a trait that changes, before the views. */
  function model(state, asked = () => {}) {
    const listeners = new Map();
    const of = (event) => listeners.get(event) ?? listeners.set(event, []).get(event);
    const self = {
      saves: 0,
      get: (name) => state[name],
      set(name, value) {
        if (typeof name === "object") { Object.entries(name).forEach(([key, one]) => self.set(key, one)); return; }
        if (state[name] === value) return;
        state[name] = value;
        asked(name);
        for (const event of [`change:${name}`, "change"]) [...of(event)].forEach((listener) => listener());
      },
      on: (event, listener) => { of(event).push(listener); },
      off: (event, listener) => { listeners.set(event, of(event).filter((one) => listener && one !== listener)); },
      save_changes: () => { self.saves += 1; },
      send: () => asked(null),
    };
    return self;
  }

  /** Import a module's text once. */
  function load(text) {
    if (!loaded.has(text)) {
      const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      loaded.set(text, import(address).finally(() => URL.revokeObjectURL(address)));
    }
    return loaded.get(text);
  }

  /** Draw a widget into an element. */
  async function mount(text, model, el) {
    const { default: made } = await load(text);
    const widget = typeof made === "function" ? await made() : made;
    await widget.initialize?.({ model });
    return widget.render({ model, el });
  }

  /** Keep two traits equal, as Python's `traitlets.link` does. */
  function link(models, [[a, nameOfA], [b, nameOfB]]) {
    models[a].on(`change:${nameOfA}`, () => models[b].set(nameOfB, models[a].get(nameOfA)));
    models[b].on(`change:${nameOfB}`, () => models[a].set(nameOfA, models[b].get(nameOfB)));
  }

  /** Undo `states.packed`: {models: {id: {module, asks, state}}, links}. */
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const whole = await new Response(stream).arrayBuffer();
    const length = new DataView(whole).getUint32(0, true);
    const value = JSON.parse(new TextDecoder().decode(new Uint8Array(whole, 4, length)));
    const revive = (one) => {
      if (Array.isArray(one)) return one.map(revive);
      if (one === null || typeof one !== "object") return one;
      if (one.__bytes__) return new Uint8Array(whole.slice(4 + length + one.__bytes__[0], 4 + length + one.__bytes__[0] + one.__bytes__[1]));
      return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, revive(inner)]));
    };
    return revive(value);
  }

  return { model, mount, link, unpack };
})();
