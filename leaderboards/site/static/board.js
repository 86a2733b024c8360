// The table of a page. DataTables sorts, searches and paginates; the columns are chosen here.
"use strict";

const LEADING = ["Rank", "Model"]; // columns before the numbers
const FACTS = ["Defense", "Architecture", "Extra data", "Authors", "Venue", "Paper", "Licence"]; // columns behind them
const PAPER = FACTS.indexOf("Paper");
const VALUE = 1, RANKS = 6; // positions in a figure
const FILTERS = ["family", "defense"];
const byId = (id) => document.getElementById(id);
let table = null;

// Own models come first in either direction, and missing numbers last.
const missing = (a, b) => (a === null) - (b === null);
const ownFirst = (compare) => ([ownA, a], [ownB, b]) => ownB - ownA || compare(a, b);
const letters = new Intl.Collator("en", { numeric: true }).compare;
DataTable.ext.type.order["figure-asc"] = ownFirst((a, b) => missing(a, b) || a - b);
DataTable.ext.type.order["figure-desc"] = ownFirst((a, b) => missing(a, b) || b - a);
DataTable.ext.type.order["words-asc"] = ownFirst((a, b) => letters(a, b));
DataTable.ext.type.order["words-desc"] = ownFirst((a, b) => letters(b, a));

const row = ([model, id, page, own, family, facts, suspected, figures]) => ({
  model, id, page, own, family, facts, suspected, defense: facts[0],
  figures: new Map(figures.map((figure) => [figure[0], figure])),
});

const filtered = (board) => board.rows.filter((row) => FILTERS.every((name) => !byId(name).value || row[name] === byId(name).value));

// Columns of the selected benchmark and kind in which the rows have numbers. Unless every protocol is selected, these are
// the measured columns, and the fullest of columns that differ only in protocol.
function chosen(board, rows) {
  const benchmark = byId("benchmark").value, kind = byId("kind").value, every = byId("every").checked;
  const count = new Map(board.columns.map((column) => [column, rows.filter((row) => row.figures.has(column.place)).length]));
  const wanted = board.columns.filter((column) =>
    count.get(column) && !(benchmark && column.benchmark !== benchmark) && !(kind && column.kind !== kind));
  const fullest = new Map();
  for (const column of wanted) {
    const name = `${column.kind} ${column.label}`, before = fullest.get(name);
    if (!before || count.get(column) > count.get(before)) fullest.set(name, column);
  }
  const kept = new Set(fullest.values());
  return wanted.filter((column) => every || column.kind === "measured" || kept.has(column));
}

// The number before the protocol is that of its note below the table.
function heading(column) {
  const head = make("th", "", { scope: "col", class: `number ${column.kind}` });
  const source = make("span", "", { class: "source", title: `${column.kind}: ${column.protocol}` });
  source.append(make("span", column.kind, { class: `kind ${column.kind}` }), make("span", column.note), make("span", column.protocol, { class: "protocol" }));
  head.append(source, make("span", column.what, { class: "what" }), make("span", `${column.where} ${column.unit}`, { class: "where" }));
  return head;
}

function modelCell(row) {
  const cell = make("span");
  cell.append(make("a", row.model, { href: `models/${encodeURIComponent(row.page)}.html` }));
  if (row.own) cell.append(" ", make("span", "own", { class: "kind measured" }));
  if (row.suspected.length) {
    const title = row.suspected.join(", ");
    cell.append(" ", make("span", "masking suspected", { class: "finding suspect", title }));
  }
  return cell;
}

// A dagger or star in the text marks a number with flags, which the title lists.
function figureCell(figure) {
  if (!figure) return "";
  const [, , text, interval, best, n, , ...flags] = figure;
  const details = [...(n === null ? [] : [`n ${n.toLocaleString("en")}`]), ...flags];
  const cell = make("span", "", details.length ? { title: details.join("; ") } : {});
  cell.append(make(best ? "b" : "span", text));
  if (interval) cell.append(" ", make("small", interval));
  return cell;
}

// DataTables resolves HTML entities in the texts that it searches.
const searched = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const text = (words, shown) => ({
  data: null,
  type: "words",
  render: (_, type, row) => (type === "display" ? shown(row) : type === "filter" ? searched(words(row)) : [row.own, words(row)]),
});

const linkCell = ([address, words]) => make("a", words, { href: address, rel: "noreferrer" });
const fact = (place) => place === PAPER
  ? text((row) => row.facts[PAPER][1] ?? "", (row) => (row.facts[PAPER] ? linkCell(row.facts[PAPER]) : ""))
  : text((row) => row.facts[place], (row) => make("span", row.facts[place]));

const figures = ({ place, what, where, kind, protocol, higher_is_better }) => ({
  data: null,
  ariaTitle: `${what}, ${where}, ${kind}, ${protocol}`,
  type: "figure",
  searchable: false,
  className: "number",
  orderSequence: higher_is_better ? ["desc", "asc"] : ["asc", "desc"],
  render: (_, type, row) => {
    const figure = row.figures.get(place);
    return type === "display" ? figureCell(figure) : [row.own, figure?.[VALUE] ?? null];
  },
});

// The column by which the table is sorted at first comes first, then those with numbers of own models; claims come last.
function draw(board) {
  const rows = filtered(board), first = board.columns[board.first];
  const own = new Set(rows.filter((row) => row.own).flatMap((row) => [...row.figures.keys()]));
  const order = (column) => (column === first ? 0 : own.has(column.place) ? 1 : column.kind === "claimed" ? 3 : 2);
  const columns = chosen(board, rows).sort((a, b) => order(a) - order(b));
  const facts = FACTS.map((_, place) => place).filter((place) => rows.some((row) => row.facts[place]));
  byId("board").replaceChildren(); // stop measuring the old table, and do not measure the new one before it is complete
  table?.destroy();
  const element = make("table", "", { id: "models", class: columns.length > 6 ? "wide" : "" });
  const head = element.createTHead().insertRow();
  for (const label of LEADING) head.append(make("th", label, { scope: "col" }));
  head.append(...columns.map(heading), ...facts.map((place) => make("th", FACTS[place], { scope: "col", class: "fact" })));
  element.append(make("caption", board.title));
  const frame = make("div"), before = LEADING.length;
  frame.append(element);
  table = new DataTable(element, {
    data: rows.filter((row) => columns.some(({ place }) => row.figures.has(place))),
    columns: [
      { data: null, defaultContent: "", type: "string", searchable: false, orderable: false, className: "number rank" },
      { ...text((row) => `${row.model} ${row.id} ${row.family}`, modelCell), className: "model", cellType: "th",
        createdCell: (cell) => cell.setAttribute("scope", "row") },
      ...columns.map(figures),
      ...facts.map((place) => ({ ...fact(place), className: "fact" })),
    ],
    order: columns.slice(0, 1).map((column) => [before, column.higher_is_better ? "desc" : "asc"]),
    rowCallback(line, row) {
      const sorted = this.api().order().flat()[0];
      line.cells[0].textContent = row.figures.get(columns[sorted - before]?.place)?.[RANKS] ?? "";
    },
    drawCallback() {
      byId("elsewhere").hidden = this.api().rows({ search: "applied" }).count() > 0;
    },
    search: { search: byId("search").value },
    autoWidth: false,
    deferRender: true,
    pageLength: 25,
    lengthMenu: [25, 50, 100, 250],
    layout: { topStart: "info", topEnd: "pageLength", bottomStart: null, bottomEnd: "paging" },
    language: { info: "Models _START_ to _END_ of _TOTAL_", infoFiltered: "(of _MAX_ with a number in these columns)",
      infoEmpty: "No models", zeroRecords: "No model matches.", lengthMenu: "Rows _MENU_" },
  });
  const scroll = element.parentElement;
  scroll.classList.add("scroll");
  for (const [name, value] of [["tabindex", 0], ["role", "region"], ["aria-label", board.title]]) scroll.setAttribute(name, value);
  byId("board").append(...frame.childNodes);
  notes(columns);
}

function notes(columns) {
  const byNote = new Map(columns.map((column) => [column.note, column]).sort(([a], [b]) => a - b));
  byId("notes").replaceChildren(...[...byNote.values()].map((column) => {
    const item = make("li", "", { id: `note-${column.note}`, value: column.note });
    item.append(make("span", column.kind, { class: `kind ${column.kind}` }), ` ${column.protocol}`);
    return item;
  }));
}

function offer(id, values) {
  const select = byId(id), before = select.value;
  const names = [...new Set(values)].filter(Boolean).sort();
  select.replaceChildren(make("option", "all", { value: "" }), ...names.map((name) => make("option", name, { value: name })));
  select.value = names.includes(before) ? before : "";
}

// The address of the page says what was chosen, so that it can be kept.
const CHOICES = [...FILTERS, "benchmark", "kind", "search"];
function keep() {
  const kept = new URLSearchParams(CHOICES.map((name) => [name, byId(name).value]).filter(([, value]) => value));
  if (kept.size || location.hash) history.replaceState(null, "", `#${kept}`);
  byId("elsewhere").querySelector("a").href = `index.html#${new URLSearchParams({ q: byId("search").value })}`;
}

function choose(board) {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const name of FILTERS) offer(name, board.rows.map((row) => row[name]));
  offer("benchmark", board.columns.map((column) => column.benchmark));
  offer("kind", board.columns.map((column) => column.kind));
  for (const name of CHOICES) {
    const offered = byId(name).options;
    const value = wanted.get(name) ?? "";
    byId(name).value = !offered || [...offered].some((option) => option.value === value) ? value : "";
  }
  keep();
}

async function show() {
  byId("board").replaceChildren(make("p", "Loading …", { class: "lead" }));
  try {
    const board = await data(byId("board").dataset.name);
    board.rows = board.rows.map((item) => (Array.isArray(item) ? row(item) : item));
    choose(board);
    draw(board);
    for (const id of [...FILTERS, "benchmark", "kind", "every"]) byId(id).addEventListener("change", () => { keep(); draw(board); });
    byId("search").addEventListener("input", () => { keep(); table.search(byId("search").value).draw(); });
    addEventListener("hashchange", () => { choose(board); draw(board); });
  } catch (error) {
    byId("board").replaceChildren(make("p", error.message, { role: "alert" }));
  }
}

addEventListener("DOMContentLoaded", () => {
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  show();
});
