// Mounts a page's widgets where their still pictures are, and shows one of them alone, large, for a projector.

const ccaWidgets = (() => {
  const modules = {}, models = {};
  let packed = null;
  const make = (tag, props = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };
  const hashParts = () => location.hash.replace(/^#/, "").split("&").filter(Boolean);

  /** Say, once, that a widget asked for something that only Python can answer. */
  function needsPython(place) {
    if (place.querySelector(".needs")) return;
    const note = make("p", { className: "needs" });
    note.setAttribute("role", "status");
    note.innerHTML = `What you asked this widget for, Python would compute. ${document.body.dataset.command ?? ""}`;
    place.querySelector(".widget-bar").before(note);
  }

  async function mountAll() {
    const places = [...document.querySelectorAll("[data-widget]")];
    if (!packed || !places.length) return;
    const { models: found, links } = await ccaHost.unpack(packed);
    for (const [id, { asks, state }] of Object.entries(found)) {
      models[id] = ccaHost.model(state, (name) => {
        if (name === null || asks.includes(name)) places.filter((place) => place.dataset.widget === id).forEach(needsPython);
      });
    }
    links.forEach((pair) => ccaHost.link(models, pair));
    const used = new Set(places.map((place) => found[place.dataset.widget].module));
    document.head.append(make("style", { textContent: [...used].map((name) => modules[name].css).join("\n") }));
    for (const place of places) {
      const id = place.dataset.widget, el = make("div", { className: "live" });
      const bar = make("div", { className: "widget-bar" }, make("button", { type: "button", className: "button quiet", textContent: "Projector",
        title: "This widget alone, in large type", onclick: () => project(place) }));
      place.append(el, bar);
      try {
        await ccaHost.mount(modules[found[id].module].esm, models[id], el);
        place.classList.add("mounted");
        place.querySelector(".still")?.remove();
      } catch (error) {
        console.error(error);
        el.remove();
        bar.remove();
      }
    }
  }

  // ---- the projector: one widget in a dialog, as large as the window lets it be -----------------------------------
  let dialog = null, shown = null, bar = null;
  const mounted = () => [...document.querySelectorAll(".widget.mounted")];

  function fit() {
    const stage = dialog.querySelector(".stage"), box = stage.firstElementChild;
    if (!box) return;
    stage.style.zoom = 1;
    const wide = box.querySelector(".cca-wide") ? 1000 : 840;
    const fits = Math.max(200, innerHeight - 70) / (box.scrollHeight || 1);
    stage.style.zoom = Math.max(1.25, Math.min(innerWidth / wide, wide === 840 ? fits : 9, 3));
  }

  function give(place) {
    const stage = dialog.querySelector(".stage");
    if (shown) shown.insertBefore(stage.firstElementChild, shown.querySelector(".widget-bar"));
    shown = place;
    if (place) stage.append(place.querySelector(".live"));
  }

  function write(place) {
    const parts = hashParts().filter((part) => !part.startsWith("projector="));
    if (place) parts.unshift(`projector=${place.id}`);
    try { history.replaceState(history.state, "", parts.length ? `#${parts.join("&")}` : location.pathname + location.search); } catch { /* no address */ }
  }

  function project(place) {
    if (!dialog) {
      const move = (by) => () => { const all = mounted(); project(all[(all.indexOf(shown) + by + all.length) % all.length]); };
      const button = (text, onclick) => make("button", { type: "button", className: "button", textContent: text, onclick });
      bar = make("div", { className: "projector-bar" }, button("← Previous widget", move(-1)), button("Next widget →", move(1)),
        button("Full screen", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen())?.catch?.(() => {})),
        button("Close (Esc)", () => dialog.close()));
      dialog = make("dialog", { id: "projector", onclose: () => { const back = shown; give(null); write(null); back.scrollIntoView({ block: "nearest" }); back.querySelector("button.quiet").focus(); } },
        bar, make("div", { className: "stage" }));
      dialog.setAttribute("aria-label", "One widget, large");
      document.body.append(dialog);
      addEventListener("resize", () => { if (dialog.open) fit(); });
    }
    give(place);
    if (!dialog.open) dialog.showModal();
    write(place);
    fit();
    (dialog.querySelector(".stage [tabindex='0']") ?? bar.lastElementChild).focus({ preventScroll: true });
  }

  /** Go where the address leads: to a widget for the projector, or to the latent that it names. */
  function follow() {
    const parts = hashParts().map(decodeURIComponent);
    const wanted = parts.find((part) => part.startsWith("projector="));
    const latent = parts.find((part) => part.startsWith("latent="))?.slice("latent=".length).split(",")[0];
    if (wanted) {
      const place = document.getElementById(wanted.slice("projector=".length));
      if (place?.classList.contains("mounted")) project(place);
    } else if (latent !== undefined) {
      const place = mounted().find((one) => { const model = models[one.dataset.widget]; return model.get("name") === latent && model.get("channel") !== undefined; });
      place?.scrollIntoView({ behavior: "instant" });
    } else if (parts.length) {
      document.getElementById(parts[0])?.scrollIntoView({ behavior: "instant" }); // what lay above has grown
    }
  }

  document.addEventListener("DOMContentLoaded", async () => {
    try { await mountAll(); } catch (error) { console.error(error); document.body.classList.add("no-widgets"); }
    if (location.hash) {
      follow();
      // widgets take their size in the next frames, pictures when they are loaded
      requestAnimationFrame(() => requestAnimationFrame(follow));
      if (document.readyState !== "complete") addEventListener("load", follow, { once: true });
    }
    addEventListener("hashchange", () => { if (/(^#|&)(projector|latent)=/.test(location.hash)) follow(); });
    window.ccaReady = true;
  });
  return { models, module: (name, esm, css) => { modules[name] = { esm, css }; }, page: (text) => { packed = text; } };
})();
const ccaModule = ccaWidgets.module, ccaPage = ccaWidgets.page;
