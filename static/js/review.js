// The review page: the swap to the next sample, what was opened again, the saved state.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const bench = $("#bench"), labels = $("#labels"), saved = $("#saved");
const LAST = 10;
let busy = false, parked = null;

const sample = () => $("#assignment");
const options = () => $$(".option", labels).map((option) => $("input", option) ?? option);
const parse = (html) => new DOMParser().parseFromString(html, "text/html");
const adopt = (node) => document.importNode(node, true);

/* What is on the screen. The labels stay where they are; only their marks change. */
function shown() {
  const { slugs, skip, key } = sample().dataset, chosen = slugs ? slugs.split(" ") : [];
  busy = false;
  labels.removeAttribute("aria-busy");
  for (const option of options()) {
    const on = chosen.includes(option.value);
    option.disabled = !key;
    if (option.type === "checkbox") option.checked = on;
    else if (on) option.setAttribute("aria-current", "true");
    else option.removeAttribute("aria-current");
  }
  if ($("[data-submit]")) $("[data-submit]").disabled = !key;
  for (const button of $$("[data-skip-to]")) button.setAttribute("formaction", skip ?? "");
  for (const popover of $$("[popover]")) popover.hidePopover();
  if ($("#note")) $("#note").value = "";
  document.dispatchEvent(new Event("review:shown"));
}

function arrive() {
  shown();
  bench.scrollTop = $(".reading").scrollTop = 0;
  $("[data-focus]", sample())?.focus({ preventScroll: true });
}

function show(section) {
  sample().replaceWith(section);
  htmx.process(section);
  parked = null;
  $$("#decisions [aria-current]").forEach((a) => a.removeAttribute("aria-current"));
  arrive();
}

function advance() { // only once the answer is stored, or is kept here and said to be not sent
  const ahead = $("#ahead"), next = $("section", ahead.content) ?? $("section", $("#used-up").content);
  delete ahead.dataset.key;
  show(adopt(next));
  ahead.content.replaceChildren();
}

function remember(li) {
  const before = document.getElementById(li.id), done = $("#done");
  if ((!before || "skipped" in before.dataset) && !("skipped" in li.dataset)) done.textContent = Number(done.textContent) + 1;
  before?.remove();
  $("#decisions").prepend(adopt(li));
  $("#decisions").scrollLeft = 0;
  $$("#decisions > li").slice(LAST).forEach((old) => old.remove());
}

document.addEventListener("outbox:reply", ({ detail: { entry, html, last } }) => {
  if (entry.round !== bench.dataset.round) return;
  const reply = parse(html), here = sample().dataset.key;
  $$("#decisions > li", reply).forEach(remember);
  $("#reveal").replaceWith(adopt($("#reveal", reply)));
  $("#notice").replaceChildren();
  htmx.process($(".dock"));
  if (!last) return; // the next one waits in the outbox itself
  const next = $("#assignment", reply), ahead = $("#ahead", reply);
  if (entry.key === here || !here) {
    if (!("local" in next.dataset)) show(adopt(next));
    else if (next.dataset.key === $("#ahead").dataset.key) advance();
  }
  if (!ahead || $("section", ahead.content)) $("#ahead").replaceWith(adopt(ahead ?? $("#none-ahead").content.firstElementChild));
});

document.addEventListener("outbox:notice", ({ detail }) => {
  busy = false;
  labels.removeAttribute("aria-busy");
  $("#notice").replaceWith(adopt($("#notice", parse(detail.html))));
  if (detail.conflict && detail.entry.key === sample().dataset.key) delete sample().dataset.key; // settled: go on
  $("#notice :is(a, button)")?.focus();
});

document.addEventListener("outbox:state", ({ detail: { name, unsent, refused } }) => {
  const waiting = unsent - refused, words = saved.dataset[name === "signed-out" ? "unsent" : name];
  saved.dataset.state = name;
  saved.textContent = waiting && name !== "saving" ? `${saved.dataset.unsent}: ${waiting}` : words;
  $("#sign-in").hidden = name !== "signed-out";
  $("#refused").hidden = !refused;
  if (busy && ["unsent", "signed-out"].includes(name)) advance();
  if (name === "refused") shown();
});

/* One answer at a time, by key, click or touch alike. */
document.addEventListener("submit", (event) => {
  if (event.target.id !== "answer") return;
  if (busy) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  busy = true;
  labels.setAttribute("aria-busy", "true");
}, true);

document.addEventListener("click", (event) => { // the second half of a double click is not for the next sample
  if (event.detail > 1 && event.target.closest("button.option, [data-submit]")) event.preventDefault();
}, true);

/* What was opened again stands in the place of the sample, which is put aside. */
document.addEventListener("htmx:beforeSwap", ({ target }) => {
  if (target.id === "assignment" && !$("[data-back]", target)) parked = target.cloneNode(true);
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const from = detail.requestConfig?.path ?? "";
  $$("#decisions a").forEach((a) => (from && a.getAttribute("href") === from ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current")));
  arrive();
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.xhr.status === 204) saved.textContent = saved.dataset.nothing;
});
document.addEventListener("click", (event) => {
  if (!parked || !event.target.closest("[data-back]")) return;
  event.preventDefault();
  show(parked);
});

shown();
