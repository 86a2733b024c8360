// The table of the front page. DataTables sorts, searches and paginates; the columns are chosen here.
"use strict";

const LEADING = ["Rank", "Model", "Family", "Defense"]; // columns before the numbers
const VALUE = 1, RANKS = 6; // positions in a figure
const byId = (id) => document.getElementById(id);
let table = null;

// Missing numbers come last in either direction.
const missing = (a, b) => (a === null) - (b === null);
DataTable.ext.type.order["figure-asc"] = (a, b) => missing(a, b) || a - b;
DataTable.ext.type.order["figure-desc"] = (a, b) => missing(a, b) || b - a;

// Filter rows by family and defense.
DataTable.ext.search.push((_settings, _texts, _index, row) =>
  ["family", "defense"].every((name) => !byId(name).value || row[name] === byId(name).value));

const row = ([model, page, family, defense, suspected, figures]) => ({
  model, page, family, defense, suspected,
  figures: new Map(figures.map((figure) => [figure[0], figure])),
});

// Columns of the selected benchmark and kind. Unless every protocol is selected, these are the measured columns, those
// with many models, and the fullest of columns that differ only in protocol.
function chosen(board) {
  const benchmark = byId("benchmark").value, kind = byId("kind").value, every = byId("every").checked;
  const few = board.rows.length / 20, seen = new Set();
  return board.columns.filter((column) => {
    if ((benchmark && column.benchmark !== benchmark) || (kind && column.kind !== kind)) return false;
    const name = `${column.kind} ${column.label}`, first = !seen.has(name);
    seen.add(name);
    return every || first || column.kind === "measured" || column.count >= few;
  });
}

// The number before the protocol is that of its note below the table.
function heading(column) {
  const head = make("th", "", { scope: "col", class: `number ${column.kind}` });
  const source = make("span", "", { class: "source", title: `${column.kind}: ${column.protocol}` });
  source.append(make("span", column.kind, { class: `kind ${column.kind}` }), make("span", `${column.note} ${column.protocol}`, { class: "protocol" }));
  head.append(source, `${column.label} ${column.unit}`);
  return head;
}

function modelCell(row) {
  const cell = make("span");
  cell.append(make("a", row.model, { href: `models/${encodeURIComponent(row.page)}.html` }));
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
const text = (name, shown) => ({
  data: name,
  type: "string",
  render: (words, type, row) => (type === "display" ? shown(row) : type === "filter" ? searched(words) : words),
});

const figures = ({ place, label, kind, protocol, higher_is_better }) => ({
  data: null,
  ariaTitle: `${label}, ${kind}, ${protocol}`,
  type: "figure",
  searchable: false,
  className: "number",
  orderSequence: higher_is_better ? ["desc", "asc"] : ["asc", "desc"],
  render: (_, type, row) => {
    const figure = row.figures.get(place);
    return type === "display" ? figureCell(figure) : figure?.[VALUE] ?? null;
  },
});

// The column by which the table is sorted at first comes first.
function draw(board) {
  const columns = chosen(board).sort((a, b) => (b === board.columns[board.first]) - (a === board.columns[board.first]));
  const places = columns.map((column) => column.place);
  byId("board").replaceChildren(); // stop measuring the old table, and do not measure the new one before it is complete
  table?.destroy();
  const element = make("table", "", { id: "models" });
  const head = element.createTHead().insertRow();
  for (const label of LEADING) head.append(make("th", label, { scope: "col" }));
  head.append(...columns.map(heading));
  element.append(make("caption", board.title));
  const frame = make("div");
  frame.append(element);
  table = new DataTable(element, {
    data: board.rows.filter((row) => places.some((place) => row.figures.has(place))),
    columns: [
      { data: null, defaultContent: "", type: "string", searchable: false, orderable: false, className: "number rank" },
      { ...text("model", modelCell), className: "model", cellType: "th",
        createdCell: (cell) => cell.setAttribute("scope", "row") },
      text("family", (row) => make("span", row.family)), text("defense", (row) => make("span", row.defense)),
      ...columns.map(figures),
    ],
    order: columns.slice(0, 1).map((column) => [LEADING.length, column.higher_is_better ? "desc" : "asc"]),
    rowCallback(line, row) {
      const [sorted] = this.api().order().flat();
      line.cells[0].textContent = row.figures.get(columns[sorted - LEADING.length]?.place)?.[RANKS] ?? "";
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

const rowsRead = {};
async function rowsOf(board) {
  rowsRead[board.figures] ??= (await data(board.figures)).map(row);
  return board.models.map((place) => rowsRead[board.figures][place]);
}

async function whole(name) {
  const board = await data(name);
  board.rows ??= await rowsOf(board);
  return board;
}

async function show() {
  const name = byId("columns").value;
  const board = await whole(name).catch((error) => error);
  if (name !== byId("columns").value) return; // other columns have been chosen meanwhile
  if (board instanceof Error) {
    byId("notes").replaceChildren();
    byId("board").replaceChildren(make("p", board.message, { role: "alert" }));
    return;
  }
  offer("family", board.rows.map((row) => row.family));
  offer("defense", board.rows.map((row) => row.defense));
  offer("benchmark", board.columns.map((column) => column.benchmark));
  draw(board);
}

addEventListener("DOMContentLoaded", () => {
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["columns", "benchmark", "kind", "every"]) byId(id).addEventListener("change", show);
  for (const id of ["family", "defense"]) byId(id).addEventListener("change", () => table.draw());
  byId("search").addEventListener("input", () => table?.search(byId("search").value).draw());
  show();
});
