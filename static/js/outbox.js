// Sends every form marked data-outbox. An answer is kept in the browser until the server says it
// has it, and sent again under the same key; no text of a sample is kept. One submission at a time.
// Tells the page by events on document: outbox:state, outbox:reply, outbox:notice.
const bench = document.querySelector("#bench");
const STORE = `outbox:${bench.dataset.user}`;
const RETRY = 5000;
const TIMEOUT = 10000;
let token = JSON.parse(document.body.getAttribute("hx-headers"))["x-csrftoken"];
let sending = false;
let memory = []; // where the browser refuses to store
let timer;

function entries() {
  try { return JSON.parse(localStorage.getItem(STORE)) ?? memory; } catch { return memory; }
}

function keep(list) {
  memory = list;
  try { localStorage.setItem(STORE, JSON.stringify(list)); } catch { /* memory has it */ }
}

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`outbox:${name}`, { detail }));

function state(name, why = "") {
  const unsent = entries();
  tell("state", { name, why, unsent: unsent.length, refused: unsent.filter((e) => e.refused).length });
}

const drop = (id) => keep(entries().filter((entry) => entry.id !== id));

async function post(entry) {
  const body = new URLSearchParams(entry.body);
  const local = ["#assignment", "#ahead"].map((id) => document.querySelector(id)?.dataset.key);
  body.set("have", local.filter((key) => key && key !== entry.key).join(" "));
  return fetch(entry.url, {
    method: "POST", body, redirect: "manual", signal: AbortSignal.timeout(TIMEOUT),
    headers: { "HX-Request": "true", "x-csrftoken": token },
  });
}

// After signing in again, the page's token is old: the server gives a new one with the page.
async function renewed() {
  const page = await fetch(location.pathname, { redirect: "manual", cache: "no-store" });
  if (!page.ok) return false;
  const html = new DOMParser().parseFromString(await page.text(), "text/html");
  token = JSON.parse(html.body.getAttribute("hx-headers"))["x-csrftoken"];
  document.body.setAttribute("hx-headers", JSON.stringify({ "x-csrftoken": token }));
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = token;
  return true;
}

async function deliver(entry, again = true) {
  const reply = await post(entry);
  if (reply.type === "opaqueredirect" || reply.status === 401) return "signed-out";
  if (reply.status === 403 && again) return (await renewed()) ? deliver(entry, false) : "signed-out";
  if (reply.ok) {
    drop(entry.id);
    tell("reply", { entry, html: await reply.text(), last: !entries().some((e) => !e.refused) });
    return "saved";
  }
  if (reply.status === 409 || reply.status === 422) {
    drop(entry.id); // what was sent stands in the notice
    tell("notice", { entry, html: await reply.text(), conflict: reply.status === 409 });
    return "refused";
  }
  if (reply.status >= 500 || reply.status === 429) return "unsent";
  keep(entries().map((e) => (e.id === entry.id ? { ...e, refused: reply.status } : e)));
  return "refused";
}

async function flush() {
  if (sending) return;
  sending = true;
  clearTimeout(timer);
  for (let entry; (entry = entries().find((e) => !e.refused)); ) {
    state("saving");
    let outcome;
    try { outcome = await deliver(entry); } catch { outcome = "unsent"; }
    state(outcome, entry.key);
    if (outcome === "unsent" || outcome === "signed-out") {
      timer = setTimeout(flush, RETRY);
      break;
    }
  }
  sending = false;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-outbox]") || event.defaultPrevented) return;
  event.preventDefault();
  const data = new FormData(form, event.submitter);
  data.delete("csrfmiddlewaretoken");
  const entry = {
    id: `${data.get("client_key")} ${Date.now()}`, key: data.get("client_key"), round: bench.dataset.round,
    url: event.submitter?.getAttribute("formaction") ?? form.getAttribute("action"),
    body: new URLSearchParams(data).toString(), main: form.id === "answer",
  };
  keep([...entries().filter((e) => e.key !== entry.key || e.refused), entry]);
  flush();
});

document.addEventListener("click", (event) => {
  const command = event.target.closest("[data-outbox-command]")?.dataset.outboxCommand;
  if (command === "retry") keep(entries().map(({ refused, ...entry }) => entry));
  if (command === "discard") keep(entries().filter((entry) => !entry.refused));
  if (command) { state("saved"); flush(); }
});
addEventListener("online", flush);
document.addEventListener("visibilitychange", () => document.hidden || flush());
addEventListener("beforeunload", (event) => {
  if (sending && entries().length) event.preventDefault();
});
queueMicrotask(() => (entries().length ? flush() : null));
