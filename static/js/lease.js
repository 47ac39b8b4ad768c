// How long the sample was read, and how long it is still reserved; the lease is kept while someone looks.
const bench = document.querySelector("#bench");
const saved = document.querySelector("#saved");
const badge = document.querySelector("#lease");
const IDLE = 60000; // without a key or a move for so long, nobody is reading
const BEAT = 60000;
const WARN = 120000;
const skew = bench.dataset.now ? new Date(bench.dataset.now) - Date.now() : 0;
let active = 0, ticked = performance.now(), moved = ticked, beaten = ticked, until = Infinity;

const sample = () => document.querySelector("#assignment");

function tick() {
  const now = performance.now();
  if (!document.hidden && now - moved < IDLE) active += now - ticked;
  ticked = now;
}

async function beat() {
  beaten = performance.now();
  const { heartbeat } = sample().dataset;
  if (!heartbeat) return;
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  try {
    const reply = await fetch(heartbeat, { method: "POST", headers, redirect: "manual" });
    if (reply.ok) until = Date.now() + skew + 1000 * bench.dataset.leaseSeconds;
    if (reply.status === 409) Object.assign(saved, { textContent: saved.dataset.lost }).dataset.state = "lost";
  } catch { /* offline: the lease runs on, and the answer is kept by the outbox */ }
}

setInterval(() => {
  tick();
  const reading = !document.hidden && performance.now() - moved < BEAT + IDLE;
  if (reading && performance.now() - beaten > BEAT) beat();
  const left = until - Date.now() - skew;
  badge.hidden = left > WARN || left < 0;
  if (!badge.hidden) badge.textContent = `${badge.dataset.text} ${Math.ceil(left / 1000)} s`;
}, 1000);
for (const sign of ["keydown", "pointermove", "pointerdown", "wheel", "touchmove"]) {
  addEventListener(sign, () => { moved = performance.now(); }, { passive: true });
}

document.addEventListener("review:shown", () => {
  const { leaseUntil } = sample().dataset;
  until = leaseUntil ? Date.parse(leaseUntil) : Infinity;
  active = 0;
  ticked = moved = performance.now();
  if (until - Date.now() - skew < WARN) beat(); // fetched ahead, and its time is nearly over
});
document.addEventListener("submit", ({ target }) => {
  tick();
  if (target.elements.seconds) target.elements.seconds.value = (active / 1000).toFixed(1);
}, true);
