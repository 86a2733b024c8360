// Light or dark: the theme of the system until the reader chooses one. Runs before the page is painted.
"use strict";

const system = matchMedia("(prefers-color-scheme: dark)");
const shown = () => document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
const withStorage = (act) => { try { return act(); } catch { return null; } }; // a browser may refuse storage
const stored = withStorage(() => localStorage.getItem("theme"));
if (stored !== null) document.documentElement.dataset.theme = stored;

addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  const name = () => { button.textContent = shown() === "dark" ? "Light" : "Dark"; };
  const tell = () => { name(); document.dispatchEvent(new Event("themechange")); };
  button.hidden = false;
  name();
  system.addEventListener("change", tell);
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = shown() === "dark" ? "light" : "dark";
    withStorage(() => localStorage.setItem("theme", shown()));
    tell();
  });
});
