// What is ticked and written but not sent outlives a crash of the tab. One draft, of the sample shown.
const DRAFT = `draft:${document.querySelector("#bench").dataset.user}`;
const sample = () => document.querySelector("#assignment");
const ticks = () => [...document.querySelectorAll("#labels [type=checkbox]")];

function kept() {
  try { return JSON.parse(localStorage.getItem(DRAFT)); } catch { return null; }
}

document.addEventListener("input", ({ target }) => {
  if (target.form?.id !== "answer") return;
  const { comment, flag } = target.form.elements;
  const ticked = ticks().filter((tick) => tick.checked).map((tick) => tick.value);
  const draft = { key: sample().dataset.key, comment: comment.value, flag: flag.checked, ticked };
  try { localStorage.setItem(DRAFT, JSON.stringify(draft)); } catch { /* private windows may refuse */ }
});

function restore() {
  const draft = kept(), { key } = sample().dataset;
  if (!key || draft?.key !== key) return;
  const { comment, flag } = document.querySelector("#answer").elements;
  comment.value = draft.comment;
  flag.checked = draft.flag;
  if (draft.comment) comment.closest("details").open = true;
  for (const tick of ticks()) tick.checked = draft.ticked.includes(tick.value);
}
document.addEventListener("review:shown", restore);
document.addEventListener("outbox:reply", ({ detail: { entry } }) => {
  if (kept()?.key === entry.key) localStorage.removeItem(DRAFT);
});
