// Loaded in <head> as a classic script: the theme stands before the first paint.
(() => {
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  const remembered = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const remember = (theme) => {
    try { localStorage.setItem("theme", theme); } catch { /* private windows may refuse */ }
  };
  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };

  let now = themes.includes(remembered()) ? remembered() : "auto";
  apply(now);

  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("[data-theme-toggle]");
    if (!button) return;
    const show = () => {
      button.dataset.now = now;
      button.ariaLabel = button.title = button.dataset[`label${now[0].toUpperCase()}${now.slice(1)}`];
    };
    button.addEventListener("click", () => {
      now = themes[(themes.indexOf(now) + 1) % themes.length];
      apply(now);
      remember(now);
      show();
    });
    button.hidden = false;
    show();
  });
})();
