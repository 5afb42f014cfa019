// A question to answer before the next cell does: choose, commit, then read.

export default {
  render({ model: host, el }) {
    const cleanup = cleaner(), model = local(host, cleanup);
    const { body, save, say } = frame(model, el, { keys: "↑ ↓: choose · Enter: commit", cleanup });
    const options = model.get("options"), answer = model.get("answer");
    const choose = (i) => { if (!model.get("committed")) save("choice", clamp(i, 0, options.length - 1)); };
    const commit = () => { if (model.get("choice") >= 0) save("committed", true); };
    const items = options.map((text, i) => h("div", {
      class: "cca-option cca-focus", role: "radio", onclick: () => { choose(i); items[i].focus(); },
    }, h("span", { class: "cca-letter", "aria-hidden": "true" }, "ABCDEFGH"[i]), h("span", {}, text), h("span", { class: "cca-verdict" })));
    const list = h("div", { role: "radiogroup", "aria-label": model.get("question") }, items);
    const button = h("button", { type: "button", class: "cca-button cca-commit", tabindex: "-1", onclick: commit }, "Commit to this answer");
    const reveal = h("div", { class: "cca-reveal" });
    body.append(h("p", { class: "cca-question" }, model.get("question")), list, h("div", { class: "cca-bar" }, button), reveal);

    const by = (step) => () => {
      choose(model.get("choice") < 0 ? (step > 0 ? 0 : options.length - 1) : model.get("choice") + step);
      items[Math.max(model.get("choice"), 0)].focus();
    };
    const keys = { ArrowDown: by(1), ArrowRight: by(1), ArrowUp: by(-1), ArrowLeft: by(-1), Enter: commit,
      " ": () => choose(items.indexOf(document.activeElement)) };
    options.forEach((_, i) => { keys["abcdefgh"[i]] = () => { choose(i); items[i].focus(); }; });
    onKeys(list, keys);

    follow(model, ["choice", "committed"], () => {
      const choice = model.get("choice"), committed = model.get("committed");
      items.forEach((item, i) => {
        item.setAttribute("aria-checked", String(i === choice));
        item.setAttribute("aria-disabled", String(committed));
        item.setAttribute("tabindex", i === Math.max(choice, 0) ? "0" : "-1");
        item.classList.toggle("cca-chosen", i === choice);
        item.classList.toggle("cca-is-right", committed && i === answer);
        item.classList.toggle("cca-is-wrong", committed && i === choice && i !== answer);
        item.querySelector(".cca-verdict").textContent =
          !committed ? "" : i === answer ? "✓ right" : i === choice ? "✗ your answer" : "";
      });
      button.disabled = choice < 0 || committed;
      button.textContent = committed ? "Committed" : "Commit to this answer";
      reveal.replaceChildren(...(committed ? [
        h("p", {}, model.get("explanation")),
        h("p", { class: "cca-misconception" }, h("b", {}, "The misconception: "), model.get("misconception")),
      ] : []));
      say(committed
        ? (choice === answer ? "Right." : `The right answer is ${"ABCDEFGH"[answer]}.`)
        : choice < 0 ? "Not answered yet. The answer shows only after you commit." : `${"ABCDEFGH"[choice]} chosen, not committed.`);
    });
    return cleanup.run;
  },
};
