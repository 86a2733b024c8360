// The plots: one tab each, drawn by Vega-Lite when the tab is opened.
"use strict";

const SHOWN = 8; // models selected at first, where several can be selected
const NAME = 0; // position in a model

const colour = (name) => getComputedStyle(document.querySelector(name)).color;

// Vega does not support light-dark(), so it gets the current colours of the page.
function theme() {
  const ink = colour("body"), quiet = colour(".plot p.status"), rule = getComputedStyle(document.querySelector(".tabs")).borderBottomColor;
  return {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    axis: { labelColor: ink, titleColor: ink, gridColor: rule, domainColor: quiet, tickColor: quiet, labelLimit: 260, labelOverlap: true, labelSeparation: 8, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 },
    legend: { orient: innerWidth < 700 ? "bottom" : "right", columns: 1, labelColor: ink, titleColor: ink, labelLimit: 320, labelFontSize: 12, symbolLimit: 40, symbolOpacity: 1 },
    view: { stroke: rule },
    title: { color: ink, subtitleColor: quiet, fontSize: 14, subtitleFontSize: 12, offset: 14 },
  };
}

const label = (view) => `${view.subject} (${view.under})`;
const counted = (number) => `${number} ${number === 1 ? "model" : "models"}`;
const selected = (select) => [...(select?.selectedOptions ?? [])].map((option) => option.value);

function offerModels(plot, view, select) {
  if (!select) return;
  const before = new Set(selected(select));
  const names = view.models.map(([place]) => plot.models[place][NAME]); // own models first, then the best
  select.replaceChildren(...names.toSorted().map((name) => make("option", name, { value: name })));
  const kept = names.filter((name) => before.has(name));
  const first = kept.length ? kept : names.slice(0, plot.choose === "one" ? 1 : SHOWN);
  for (const option of select.options) option.selected = first.includes(option.value);
}

function values(plot, view, names) {
  const wanted = new Set(names), front = new Set(view.front);
  const shown = view.models.filter(([place]) => wanted.has(plot.models[place][NAME]));
  return shown.flatMap(([place, rows]) => {
    const [model, page, own, label] = plot.models[place], onFront = Number(front.has(place));
    const shared = { model, label, page: `models/${encodeURIComponent(page)}.html`, own, front: onFront, priority: 2 * own + onFront };
    return rows.map(([word, ...numbers]) => ({
      ...shared,
      ...Object.fromEntries(plot.fields.map((field, at) => [field, at ? numbers[at - 1] : plot.words[word]])),
    }));
  });
}

// Labels of points: Vega-Lite has none that keep clear of each other, Vega does.
function labelled(spec) {
  const fill = colour("body");
  const text = { text: { field: "datum.label" }, fill: { value: fill }, fontSize: { value: 10 }, fontWeight: { signal: "datum.datum.own ? 'bold' : 'normal'" } };
  const place = { type: "label", size: { signal: "[width, height]" }, avoidMarks: ["points_marks"], offset: [3], anchor: ["right", "left", "top", "bottom"], sort: { field: "datum.datum.priority", order: "descending" } };
  spec.marks.push({ type: "text", name: "labels", interactive: false, from: { data: "points_marks" }, encode: { update: text }, transform: [place] });
  return spec;
}

function listed(plot, view, rows) {
  const fields = ["model", ...plot.fields];
  const table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
  table.prepend(make("caption", `${plot.title}: ${label(view)}`));
  for (const field of fields) {
    const name = (field === "value" && view.measure) || field.replaceAll("_", " ");
    head.append(make("th", name, { scope: "col" }));
  }
  for (const row of rows) {
    const line = body.insertRow(), name = make("th", "", { scope: "row" });
    name.append(make("a", row.model, { href: row.page }));
    line.append(name, ...plot.fields.map((field) =>
      typeof row[field] === "number" ? make("td", Number(row[field].toPrecision(5)), { class: "number" }) : make("td", row[field] ?? "")));
  }
  return table;
}

// A drawing contains MEASURE where its views show different metrics, and FRONT for the colour of the Pareto front.
const drawingOf = (plot, view) =>
  JSON.parse(JSON.stringify(plot.drawing), (_, value) => (value === "MEASURE" ? view.measure : value === "FRONT" ? colour("body") : value));

async function draw(section) {
  const plot = await data(section.dataset.numbers);
  const status = section.querySelector(".status"), details = section.querySelector("details");
  const view = plot.views[section.querySelector(".view").value];
  const select = section.querySelector(".models");
  const all = view.models.map(([place]) => plot.models[place][NAME]), names = select ? selected(select) : all;
  const rows = values(plot, view, names);
  status.textContent = select ? `${names.length} of ${counted(all.length)}` : counted(all.length);
  const title = { text: view.subject, subtitle: view.under, anchor: "start", limit: section.clientWidth - 60 };
  const drawing = { ...drawingOf(plot, view), title, data: { values: rows }, description: `${plot.title}: ${label(view)}` };
  await vegaEmbed(section.querySelector(".drawing"), drawing, {
    ast: true, actions: false, defaultStyle: false, renderer: "svg", config: theme(), tooltip: { disableDefaultStyle: true },
    ...(plot.choose === "all" ? { patch: labelled } : {}),
  });
  const list = () => { if (details.open) details.querySelector(".scroll").replaceChildren(listed(plot, view, rows)); };
  details.ontoggle = list;
  list();
}

function failed(section, error) {
  section.querySelector(".drawing").replaceChildren();
  section.querySelector(".status").textContent = error.message;
}

// Draw one at a time and skip all but the latest request, so that the drawing shows the current selection.
const requests = new Map(), drawn = new Map();
function redraw(section) {
  const request = {};
  requests.set(section, request);
  const before = drawn.get(section) ?? Promise.resolve();
  drawn.set(section, before.then(() => (requests.get(section) === request ? draw(section) : null)).catch((error) => failed(section, error)));
}

async function prepare(section) {
  section.querySelector(".status").textContent = "Loading …";
  const [plot] = await Promise.all([data(section.dataset.numbers), script("library/vega.js")]);
  const views = section.querySelector(".view"), models = section.querySelector(".models");
  views.replaceChildren(...plot.views.map((view, place) => make("option", `${label(view)}, ${counted(view.models.length)}`, { value: place })));
  offerModels(plot, plot.views[0], models);
  views.addEventListener("change", () => { offerModels(plot, plot.views[views.value], models); redraw(section); keep(section); });
  models?.addEventListener("change", () => redraw(section));
}

// The address says which plot and view are shown, in words that are no element's id: the page opens at its top.
const address = () => new URLSearchParams(location.hash.slice(1));
async function keep(section) {
  const { views } = await data(section.dataset.numbers), view = views[section.querySelector(".view").value || 0];
  history.replaceState(null, "", `#${new URLSearchParams({ plot: section.id, view: view.key })}`);
}

// Choose the view that the address names.
async function choose(section) {
  const plot = await data(section.dataset.numbers), views = section.querySelector(".view");
  const asked = plot.views.findIndex((view) => view.key === address().get("view"));
  if (asked < 0 || String(asked) === views.value) return;
  views.value = asked;
  offerModels(plot, plot.views[asked], section.querySelector(".models"));
}

// Load once, or again after a failure; draw whenever the plot is shown, in the current colours.
const ready = new Map();
async function see(section) {
  if (!ready.has(section)) ready.set(section, prepare(section));
  try {
    await ready.get(section);
    await choose(section);
    if (!section.hidden) redraw(section);
  } catch (error) {
    ready.delete(section);
    failed(section, error);
  }
}

addEventListener("DOMContentLoaded", () => {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const sections = [...document.querySelectorAll(".plot")];
  if (!tabs.length) return;
  const wanted = () => tabs.find((tab) => tab.getAttribute("aria-controls") === address().get("plot"));
  const shown = () => sections.find((section) => !section.hidden);
  const open = (tab) => {
    for (const other of tabs) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
    }
    for (const section of sections) section.hidden = section.id !== tab.getAttribute("aria-controls");
    see(shown());
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => { open(tab); keep(shown()); });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      next.focus();
      open(next);
      keep(shown());
    });
  });
  document.addEventListener("themechange", () => see(shown()));
  addEventListener("hashchange", () => { if (wanted()) open(wanted()); });
  open(wanted() ?? tabs[0]);
});
