// The results of cells know JupyterLab's way of saying which theme a page has.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const say = () => {
    const chosen = document.body.dataset.theme;
    const light = chosen === "light" || (chosen !== "dark" && !dark.matches);
    document.body.dataset.jpThemeLight = String(light);
  };
  document.addEventListener("DOMContentLoaded", () => {
    say();
    new MutationObserver(say).observe(document.body, { attributeFilter: ["data-theme"] });
    dark.addEventListener("change", say);
  });
})();
