// The page around the widgets: theme, search, folded code, printing. Everything works without it, less comfortably.

const $ = (id) => document.getElementById(id);
const root = document.body.dataset.root;
let ccaIndex = null;

// ---- theme -----------------------------------------------------------------------------------------------------------
const themes = ["auto", "light", "dark"];
const themeNow = () => document.body.dataset.theme ?? "auto";
const nameTheme = () => { $("theme").textContent = `Theme: ${themeNow()}`; };
$("theme").hidden = false;
$("theme").onclick = () => {
  const next = themes[(themes.indexOf(themeNow()) + 1) % themes.length];
  if (next === "auto") delete document.body.dataset.theme;
  else document.body.dataset.theme = next;
  try { if (next === "auto") localStorage.removeItem("cca-theme"); else localStorage.setItem("cca-theme", next); } catch { /* no storage */ }
  nameTheme();
};
nameTheme();

// ---- search: the index is a script, loaded when someone wants to search ---------------------------------------------
const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
const query = $("query"), results = $("results");

function ccaSearch(sections) {
  ccaIndex = sections.map(([page, title, anchor, heading, text]) => ({ page, title, anchor, heading, text, words: plain(text), head: plain(`${title} ${heading}`) }));
  look();
}

function load() {
  if (document.querySelector("script[data-index]")) return;
  const script = document.createElement("script");
  script.src = `${root}assets/search-index.js`;
  script.dataset.index = "";
  document.head.append(script);
}

/** Sections that hold all words (or words that begin so), the best first. */
function find(text) {
  const wanted = plain(text).match(/[\p{L}\p{N}_.]+/gu) ?? [];
  if (!wanted.length) return null;
  const patterns = wanted.map((word) => new RegExp(`(?<![\\p{L}\\p{N}])${word.replace(/[.]/g, "\\.")}`, "gu"));
  const score = (section) => {
    let sum = 0;
    for (const pattern of patterns) {
      const inHead = (section.head.match(pattern) ?? []).length, inText = (section.words.match(pattern) ?? []).length;
      if (!inHead && !inText) return 0;
      sum += 8 * Math.min(inHead, 2) + Math.min(inText, 6);
    }
    return sum;
  };
  return ccaIndex.map((section) => ({ section, score: score(section), at: section.words.search(patterns[0]) }))
    .filter((one) => one.score > 0).sort((a, b) => b.score - a.score).slice(0, 12);
}

function look() {
  const found = ccaIndex && query.value.trim() ? find(query.value) : null;
  results.hidden = !found;
  if (!found) return;
  const items = found.map(({ section, at }) => {
    const link = document.createElement("a"), where = document.createElement("b"), piece = document.createElement("span");
    link.href = `${root}${section.page}.html${section.anchor ? `#${encodeURIComponent(section.anchor)}` : ""}`;
    where.textContent = section.heading === section.title ? section.title : `${section.title} › ${section.heading}`;
    const from = Math.max(0, at - 50);
    piece.textContent = `${from > 0 ? "… " : ""}${section.text.slice(from, from + 140)}${section.text.length > from + 140 ? " …" : ""}`;
    link.append(where, piece);
    const item = document.createElement("li");
    item.append(link);
    return item;
  });
  const list = document.createElement("ul");
  list.append(...items);
  const count = document.createElement("p");
  count.textContent = items.length ? `${items.length === 12 ? "The first 12" : items.length} section${items.length > 1 ? "s" : ""}` : "Nothing found";
  results.replaceChildren(count, list);
}

document.querySelector("form.search").hidden = false;
document.querySelector("form.search").onsubmit = (event) => { event.preventDefault(); results.querySelector("a")?.click(); };
query.onfocus = load;
query.oninput = look;
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, .cca");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); query.focus(); }
  if (event.key === "Escape" && event.target.closest?.("form.search")) { query.value = ""; look(); query.blur(); }
});
document.addEventListener("click", (event) => { if (!event.target.closest("form.search") || event.target.closest("#results a")) results.hidden = true; });

// ---- folded code, printing, scrolling with keys ---------------------------------------------------------------------
const folds = [...document.querySelectorAll("details.fold")];
if (folds.length && $("unfold")) {
  $("unfold").hidden = false;
  $("unfold").onclick = () => {
    const open = folds.some((fold) => !fold.open);
    folds.forEach((fold) => { fold.open = open; });
    $("unfold").textContent = open ? "Hide long code" : "Show all code";
  };
}
let closed = [];
addEventListener("beforeprint", () => { closed = [...document.querySelectorAll("main details:not([open])")]; closed.forEach((one) => { one.open = true; }); });
addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));
const reachable = () => document.querySelectorAll("main pre, main .wide").forEach((box) => {
  const scrolls = box.scrollWidth > box.clientWidth + 1;
  if (scrolls) box.tabIndex = 0; else box.removeAttribute("tabindex");
});
reachable();
addEventListener("resize", reachable);
folds.forEach((fold) => fold.addEventListener("toggle", reachable));

// ---- where the reader is ---------------------------------------------------------------------------------------------
const entries = new Map([...document.querySelectorAll("#nav .sections a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
if (entries.size) {
  const heads = [...entries.keys()].map($).filter(Boolean);
  let waiting = false;
  const mark = () => {
    waiting = false;
    const at = heads.filter((head) => head.getBoundingClientRect().top < 120).pop();
    entries.forEach((link, anchor) => link.classList.toggle("now", anchor === at?.id));
  };
  addEventListener("scroll", () => { if (!waiting) { waiting = true; requestAnimationFrame(mark); } }, { passive: true });
  mark();
}
