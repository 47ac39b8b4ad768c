// The keys of the review page, the row whose rule shows, the search for a label, the codebook panel.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const bench = $("#bench"), labels = $("#labels"), find = $("#filter");
const rows = $$(".row", labels);

/* A letter by its place on the keyboard where the layout has no Latin letters. */
function typed({ key, code }) {
  if (key.length > 1 || /[\x21-\x7e]/.test(key)) return key;
  return code.startsWith("Key") ? code.slice(3).toLowerCase() : key;
}

/* The rule of one label at a time shows, in a place of its own. */
function open(row) {
  if (!row || "open" in row.dataset) return;
  for (const other of rows) delete other.dataset.open;
  row.dataset.open = "";
}
labels.dataset.live = "";
labels.addEventListener("pointerover", ({ target }) => open(target.closest(".row")));
labels.addEventListener("focusin", ({ target }) => open(target.closest(".row")));

function step(by) {
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : (at + by + rows.length) % rows.length];
  $("button, input", next).focus();
}

/* Rows that do not match fade, they do not go away: labels never move. */
if (find) {
  const matching = () => rows.filter((row) => !("out" in row.dataset));
  const clear = () => {
    find.value = "";
    for (const row of rows) delete row.dataset.out;
    find.blur();
  };
  find.hidden = false;
  find.addEventListener("input", () => {
    const words = find.value.trim().toLocaleLowerCase();
    for (const row of rows) row.toggleAttribute("data-out", !$(".option", row).textContent.toLocaleLowerCase().includes(words));
    const [first] = matching();
    first?.scrollIntoView({ block: "nearest" });
    open(first);
  });
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear();
    if (event.key !== "Enter") return;
    event.preventDefault();
    const [first] = matching();
    if (find.value.trim() && first) $("button, input", first).click();
    clear();
  });
}

function codebook() {
  if (location.hash === "#codebook") history.replaceState(null, "", location.pathname + location.search);
  bench.toggleAttribute("data-codebook");
  if (bench.hasAttribute("data-codebook")) $("#codebook").focus();
}
document.addEventListener("click", (event) => {
  if (!event.target.closest('[data-command="g"], [href="#codebook"]')) return;
  event.preventDefault();
  codebook();
});

/* z is back, x is forth; forth of the newest is the sample that waits. */
function travel(by) {
  const links = $$("#decisions a");
  const at = links.findIndex((link) => link.hasAttribute("aria-current")) + by;
  if (links[at]) links[at].click();
  else if (at < 0) $("[data-back]")?.click();
}

const commands = {
  z: () => travel(1),
  x: () => travel(-1),
  "/": () => find?.focus(),
  c: () => {
    const comment = $(".comment");
    if (comment) comment.open = true;
    $("textarea", comment)?.focus();
  },
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
};

function command(key) {
  const button = $$(`[data-command="${CSS.escape(key)}"]`).find((it) => it.offsetParent !== null);
  if (!commands[key] && !button) return false;
  (commands[key] ?? (() => button.click()))();
  return true;
}

function choose(key, root) {
  const found = $(`[data-key="${CSS.escape(key)}"]`, root) ?? $(`[data-key="${CSS.escape(key.toLowerCase())}"]`, root);
  if (!found) return false;
  if (!found.disabled) found.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  const { target } = event, key = typed(event);
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const writing = target.matches("textarea, select, input:not([type=checkbox])");
  if (writing && key === "Escape") target.blur();
  const popover = $(".popover:popover-open");
  if (writing || (popover && key.length > 1)) return;
  if (event.repeat && !key.startsWith("Arrow")) return event.preventDefault(); // a held key is one answer
  if (popover) return choose(key, popover) && event.preventDefault();
  const submits = key === "Enter" ? !target.matches("button, a, summary") : key === " " && !target.matches("button, a, summary, input");
  if (submits && bench.dataset.multiple && $("[data-submit]")) $("[data-submit]").click();
  else if (submits || !(choose(key, labels) || command(key))) return;
  event.preventDefault();
});
