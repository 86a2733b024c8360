// The plots: one tab each, drawn by Vega-Lite when it is opened.
"use strict";

const SHOWN = 8; // models at first, where several may be chosen

const colour = (name) => getComputedStyle(document.querySelector(name)).color;

// Vega knows no light-dark(): it gets the colours that the page has now.
function theme() {
  const ink = colour("body"), quiet = colour(".plot p.status"), rule = getComputedStyle(document.querySelector(".tabs")).borderBottomColor;
  return {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    axis: { labelColor: ink, titleColor: ink, gridColor: rule, domainColor: quiet, tickColor: quiet, labelLimit: 260, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 },
    legend: { orient: innerWidth < 700 ? "bottom" : "right", columns: 1, labelColor: ink, titleColor: ink, labelLimit: 320, labelFontSize: 12, symbolLimit: 40, symbolOpacity: 1 },
    view: { stroke: rule },
  };
}

const selected = (select) => [...(select?.selectedOptions ?? [])].map((option) => option.value);

function offerModels(plot, view, select) {
  if (!select) return;
  const before = new Set(selected(select));
  const names = Object.keys(view.models); // the best first
  select.replaceChildren(...names.toSorted().map((name) => make("option", name, { value: name })));
  const kept = names.filter((name) => before.has(name));
  const first = kept.length ? kept : names.slice(0, plot.choose === "one" ? 1 : SHOWN);
  for (const option of select.options) option.selected = first.includes(option.value);
}

function values(plot, view, names) {
  return names.flatMap((model) => view.models[model].map(([word, ...numbers]) => ({
    model,
    page: `models/${encodeURIComponent(plot.pages[model])}.html`,
    ...Object.fromEntries(plot.fields.map((field, place) => [field, place ? numbers[place - 1] : plot.words[word]])),
  })));
}

function listed(plot, rows) {
  const fields = ["model", ...plot.fields];
  const table = make("table"), head = table.createTHead().insertRow(), body = table.createTBody();
  table.prepend(make("caption", plot.title));
  for (const field of fields) head.append(make("th", field.replaceAll("_", " "), { scope: "col" }));
  for (const row of rows) {
    const line = body.insertRow();
    line.append(make("th", row.model, { scope: "row" }), ...plot.fields.map((field) =>
      typeof row[field] === "number" ? make("td", Number(row[field].toPrecision(5)), { class: "number" }) : make("td", row[field] ?? "")));
  }
  return table;
}

async function draw(section) {
  const plot = await data(`plot-${section.id}`);
  const status = section.querySelector(".status"), details = section.querySelector("details");
  const view = plot.views[section.querySelector(".view").value];
  const select = section.querySelector(".models");
  const rows = values(plot, view, select ? selected(select) : Object.keys(view.models));
  const models = Object.keys(view.models).length;
  status.textContent = select ? `${selected(select).length} of ${models} models` : `${models} models`;
  const drawing = { ...structuredClone(plot.drawing), data: { values: rows }, description: `${plot.title}: ${view.label}` };
  await vegaEmbed(section.querySelector(".drawing"), drawing, {
    ast: true, actions: false, defaultStyle: false, renderer: "svg", config: theme(), tooltip: { disableDefaultStyle: true },
  });
  const list = () => { if (details.open) details.querySelector(".scroll").replaceChildren(listed(plot, rows)); };
  details.ontoggle = list;
  list();
}

async function prepare(section) {
  if (section.dataset.ready) return;
  section.dataset.ready = "yes";
  section.querySelector(".status").textContent = "Loading …";
  const [plot] = await Promise.all([data(`plot-${section.id}`), script("library/vega.js")]);
  const views = section.querySelector(".view"), models = section.querySelector(".models");
  views.replaceChildren(...plot.views.map((view, place) => make("option", `${view.label}, ${Object.keys(view.models).length} models`, { value: place })));
  offerModels(plot, plot.views[0], models);
  views.addEventListener("change", () => { offerModels(plot, plot.views[views.value], models); draw(section); });
  models?.addEventListener("change", () => draw(section));
  await draw(section);
}

addEventListener("DOMContentLoaded", () => {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const sections = [...document.querySelectorAll(".plot")];
  if (!tabs.length) return;
  const open = (tab) => {
    for (const other of tabs) {
      other.setAttribute("aria-selected", other === tab);
      other.tabIndex = other === tab ? 0 : -1;
    }
    for (const section of sections) section.hidden = section.id !== tab.getAttribute("aria-controls");
    history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
    prepare(sections.find((section) => !section.hidden));
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      next.focus();
      open(next);
    });
  });
  document.addEventListener("themechange", () => {
    for (const section of sections) if (section.dataset.ready && !section.hidden) draw(section);
  });
  open(tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? tabs[0]);
});
