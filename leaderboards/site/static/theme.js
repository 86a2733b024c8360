// Light or dark: as the system has it until the reader chooses. Runs before the page is painted.
"use strict";

const system = matchMedia("(prefers-color-scheme: dark)");
const shown = () => document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
const keeping = (act) => { try { return act(); } catch { return null; } }; // a browser may forbid to keep anything
const kept = keeping(() => localStorage.getItem("theme"));
if (kept !== null) document.documentElement.dataset.theme = kept;

addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  const name = () => { button.textContent = shown() === "dark" ? "Light" : "Dark"; };
  const tell = () => { name(); document.dispatchEvent(new Event("themechange")); };
  button.hidden = false;
  name();
  system.addEventListener("change", tell);
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = shown() === "dark" ? "light" : "dark";
    keeping(() => localStorage.setItem("theme", shown()));
    tell();
  });
});
