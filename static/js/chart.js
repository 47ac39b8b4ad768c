// Draws every <div data-chart="id of a JSON script"> with vega-embed, without eval, in the page's
// colours. A mark whose datum has a `url` is a link.

const INTERPRETED = { ast: true, renderer: "canvas" };
const BARE = { actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true } };
const HUES = ["#2f7f86", "#d08a2e", "#6a6fb5", "#a8527a", "#5c9a4d", "#b5593f", "#3d84c6", "#8f7d3a", "#7d57a6", "#5b7083"];
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function colour(name, probe) {
  probe.className = "chart-probe";
  probe.dataset.token = name;
  return getComputedStyle(probe).color;
}

function config(box) {
  const probe = box.appendChild(document.createElement("span"));
  const [ink, muted, line, accent] = ["ink", "muted", "line", "accent"].map((name) => colour(name, probe));
  probe.remove();
  const axis = { labelColor: muted, titleColor: muted, gridColor: line, domainColor: line, tickColor: line };
  const font = getComputedStyle(box).fontFamily;
  return {
    font,
    axis: { ...axis, titleFontWeight: "normal", labelFontSize: 11, titleFontSize: 12 },
    legend: { labelColor: ink, labelFontSize: 12 },
    range: { category: HUES },
    style: { corrected: { color: accent }, naive: { color: muted }, reference: { color: muted } },
    view: { stroke: null },
  };
}

async function draw(box) {
  const spec = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  box.replaceChildren();
  const options = { ...INTERPRETED, ...BARE, config: config(box) };
  const { view } = await window.vegaEmbed(box, spec, options);
  view.addEventListener("click", (event, item) => {
    if (item?.datum?.url) location.assign(item.datum.url);
  });
  box.querySelector("canvas")?.setAttribute("aria-hidden", "true");
}

function drawAll() {
  for (const box of document.querySelectorAll("[data-chart]")) draw(box);
}

drawAll();
dark.addEventListener("change", drawAll);
new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
document.addEventListener("htmx:afterSettle", (event) => {
  for (const box of event.target.querySelectorAll("[data-chart]")) draw(box);
});
