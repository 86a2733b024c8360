// The search of the first page: own models first, then names that begin with the words.
"use strict";

const MOST = 30; // models listed at a time
const NAME = 0, ID = 1, PAGE = 2, OWN = 3, ARCHITECTURE = 6, DEFENSE = 5, TEXTS = 4; // positions in a model
const byId = (id) => document.getElementById(id);

function matching(models, words) {
  const texts = (model) => [model[NAME], model[ID], ...model.slice(TEXTS)].join(" ").toLowerCase();
  const found = models.filter((model) => words.every((word) => texts(model).includes(word)));
  const begins = (model) => model[NAME].toLowerCase().startsWith(words[0]) || model[ID].toLowerCase().startsWith(words[0]);
  return found.sort((a, b) => b[OWN] - a[OWN] || begins(b) - begins(a)); // a stable sort
}

function item(model) {
  const line = make("li"), about = [model[ARCHITECTURE], model[DEFENSE]].filter(Boolean).join(", ");
  line.append(make("a", model[NAME], { href: `models/${encodeURIComponent(model[PAGE])}.html` }));
  if (model[OWN]) line.append(" ", make("span", "own", { class: "kind measured" }));
  if (about) line.append(` ${about}`);
  return line;
}

async function find() {
  const words = byId("q").value.toLowerCase().split(/\s+/).filter(Boolean);
  const models = await data(byId("q").dataset.names).catch((error) => error);
  byId("count").hidden = byId("found").hidden = !words.length;
  if (models instanceof Error) {
    byId("count").hidden = false;
    byId("count").textContent = models.message;
    return;
  }
  const found = words.length ? matching(models, words) : [];
  const more = found.length > MOST ? `, of which ${MOST} are listed` : "";
  byId("count").textContent = found.length ? `${found.length} ${found.length === 1 ? "model" : "models"}${more}` : "No model matches.";
  byId("found").replaceChildren(...found.slice(0, MOST).map(item));
}

addEventListener("DOMContentLoaded", () => {
  byId("find").addEventListener("submit", (event) => event.preventDefault());
  byId("q").addEventListener("input", find);
  byId("q").value ||= new URLSearchParams(location.hash.slice(1)).get("q") ?? "";
  if (byId("q").value) find();
});
