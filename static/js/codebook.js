// The codebook editor: opened labels stay open, scrolled panes stay put, unsaved words are said.
const bench = () => document.getElementById("codebook_workbench");
const state = () => document.querySelector("[data-state]");
let open = new Set();
let scrolled = 0;
let sending = false;

const say = (words) => {
  if (state()) state().textContent = words;
};

const unsaved = () => bench()?.hasAttribute("data-unsaved");

document.addEventListener("input", (event) => {
  if (!event.target.closest("#codebook_editor")) return;
  bench().toggleAttribute("data-unsaved", true);
  say(state().dataset.unsavedWords);
});

document.addEventListener("htmx:beforeSwap", () => {
  open = new Set([...document.querySelectorAll(".label-row details[open][id]")].map((row) => row.id));
  scrolled = document.querySelector("[data-keep-scroll]")?.scrollTop ?? 0;
});

document.addEventListener("htmx:afterSwap", () => {
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  const pane = document.querySelector("[data-keep-scroll]");
  if (pane) pane.scrollTop = scrolled;
});

for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(failure, (event) => {
    if (event.target.closest("#codebook_editor")) say(state().dataset.failedWords);
  });
}

document.addEventListener("submit", (event) => {
  const words = event.submitter?.dataset.confirm;
  if (words && !confirm(words)) {
    event.preventDefault();
    return;
  }
  sending = true;
});

addEventListener("beforeunload", (event) => {
  if (unsaved() && !sending) event.preventDefault();
  sending = false;
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s" && bench()) {
    event.preventDefault();
    document.getElementById("codebook_editor").requestSubmit(
      document.querySelector("#codebook_editor button[value='save']"),
    );
  }
});
