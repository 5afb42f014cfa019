// The inspector's tour: six latents, each behind a question; and the address that leads a class to a latent.

/** Buttons and the question card. The selection moves only after a guess. */
function tourView(app) {
  const { model } = app, stops = model.get("stops");
  const buttons = stops.map((stop, i) => h("button", { type: "button", class: "cca-button", tabindex: "-1", onclick: () => { open(i); app.focus(); } },
    `${i + 1} ${stop.name}`));
  const card = h("div", { class: "cca-question-card", hidden: true });
  const node = h("div", { class: "cca-tour" }, h("div", { class: "cca-bar", style: "margin-top: 0" },
    h("span", { class: "cca-bar-label" }, "Tour, guess first:"), buttons,
    h("span", { class: "cca-bar-label" }, "Or click: the photograph for a place, the strip for a group, the bars for a channel.")), card);
  let shown = -1; // the stop whose card is open
  const guesses = () => model.get("guesses"), answered = (i) => guesses()[i] >= 0;

  const go = (i) => app.choose({ column: stops[i].column, row: stops[i].row, channel: stops[i].channel });
  const open = (i) => {
    shown = i;
    if (answered(i)) go(i);
    else app.refresh();
    node.scrollIntoView({ block: "nearest" }); // the widget may be taller than the window
  };
  const close = () => { shown = -1; app.refresh(); };
  /** Whether the card is to be seen: while it asks, and then as long as the latent that it speaks of is selected. */
  const isOpen = () => {
    if (shown < 0 || !answered(shown)) return shown >= 0;
    const [column, row] = model.get("cell"), stop = stops[shown];
    return stop.column === column && stop.row === row && stop.channel === model.get("channel");
  };
  const guess = (option) => {
    if (shown < 0 || answered(shown) || option >= stops[shown].options.length) return false;
    model.put("guesses", guesses().map((old, i) => (i === shown ? option : old)));
    go(shown);
    return true;
  };
  /** The stop that waits for a guess, or null. */
  const asked = () => (shown >= 0 && !answered(shown) ? stops[shown] : null);

  const update = () => {
    buttons.forEach((button, i) => {
      button.setAttribute("aria-pressed", String(i === shown && isOpen()));
      button.textContent = `${i + 1} ${stops[i].name}${answered(i) ? (guesses()[i] === stops[i].answer ? " ✓" : " ✗") : ""}`;
    });
    card.hidden = !isOpen();
    if (card.hidden) return;
    const stop = stops[shown], done = answered(shown), chosen = guesses()[shown];
    const choices = stop.options.map((text, i) => h("button", {
      type: "button", tabindex: "-1", class: `cca-button cca-guess${done && i === stop.answer ? " cca-is-right" : done && i === chosen ? " cca-is-wrong" : ""}`,
      disabled: done, onclick: () => { guess(i); app.focus(); },
    }, `${"abcd"[i]}  ${text}${done && i === stop.answer ? "  ✓" : done && i === chosen ? "  ✗ your guess" : ""}`));
    card.replaceChildren(h("p", {}, h("b", {}, `${stop.name}. `), stop.question), h("div", { class: "cca-guesses" }, choices),
      ...(done ? [h("p", { class: "cca-explained" }, stop.explanation)] : []),
      h("button", { type: "button", class: "cca-button cca-close", tabindex: "-1", "aria-label": "close the question", onclick: () => { close(); app.focus(); } }, "×"));
  };
  const said = () => {
    const stop = asked();
    if (stop) return `${stop.question} ${stop.options.map((text, i) => `${"abcd"[i]}: ${text}.`).join(" ")}`;
    return isOpen() ? `${guesses()[shown] === stops[shown].answer ? "Right." : "Not so."} ${stops[shown].explanation} ` : "";
  };
  return { node, update, open, close, guess, asked, said, isOpen };
}

/** The selection in the page's address, as #latent=NAME,COLUMN,ROW,CHANNEL beside whatever else is there. */
function address(name, cleanup) {
  let timer = null; // browsers are slow at it, so the hand must rest first
  cleanup.add(() => clearTimeout(timer));
  const parts = () => location.hash.replace(/^#/, "").split("&").filter(Boolean);
  const mine = (part) => part.startsWith(`latent=${encodeURIComponent(name)},`);
  return {
    read() {
      const found = parts().find(mine);
      const numbers = found ? found.split(",").slice(-3).map(Number) : [];
      return numbers.length === 3 && numbers.every(Number.isInteger) ? numbers : null;
    },
    write(column, row, channel) {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const text = [...parts().filter((part) => !mine(part)), `latent=${encodeURIComponent(name)},${column},${row},${channel}`].join("&");
        try { history.replaceState(history.state, "", `#${text}`); } catch { /* a frame without an address of its own */ }
      }, 200);
    },
  };
}
