// The frame of every page: menus close by themselves; the open section's tab is in view.
const openMenus = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
  const strip = tab.closest(".tabs");
  const [box, here] = [strip.getBoundingClientRect(), tab.getBoundingClientRect()];
  strip.scrollLeft += here.left + here.width / 2 - box.left - box.width / 2;
}
