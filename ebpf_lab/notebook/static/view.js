// The live view of a trace. Values come from traced processes: they are set as text, never as HTML.

const SIZES = [10, 25, 100];
const TYPING = 250; // ms without a key before a search goes out
const SLOW = 700; // ms without an answer that are worth a word
const SILENT = 5000; // ms after which the kernel is not expected to answer soon

function make(tag, { text, on, ...properties } = {}, ...children) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  for (const [event, heard] of Object.entries(on ?? {})) node.addEventListener(event, heard);
  node.append(...children);
  return node;
}

const count = (number) => number.toLocaleString("en-US");

function isDark() {
  const theme = document.body.dataset.jpThemeLight;
  if (theme) return theme === "false";
  const kind = document.body.dataset.vscodeThemeKind;
  if (kind) return kind.includes("dark") || kind === "vscode-high-contrast";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function render({ model, el }) {
  el.classList.add("ebpf-lab", "lab-view");
  // Keys typed into the search are not the notebook's.
  el.dataset.lmSuppressShortcuts = "true";

  // The static view, which is there for notebooks without a kernel, is hidden as long as this one is shown.
  const hidden = `[data-ebpf-lab="${CSS.escape(model.get("token"))}"]`;
  const style = make("style", {
    text: `${hidden}, .jp-OutputArea-child:has(${hidden}) { display: none !important; }`,
  });

  const facts = make("div", { class: "lab-facts" });
  for (const fact of model.get("facts")) {
    facts.append(make("span", { text: fact.text, class: fact.bad ? "lab-bad" : fact.minor ? "lab-faint" : "" }));
  }
  const notes = model.get("notes").map((note) => make("div", { text: note, class: "lab-note" }));

  const tabs = make("div", { class: "lab-bar", role: "tablist" });
  for (const table of model.get("tables")) {
    const select = () => ask({ table: table.name, start: 0, sort: "", descending: false, words: "" }, true);
    tabs.append(
      make("button", { text: table.map ? `map ${table.name}` : table.name, role: "tab", on: { click: select } }),
    );
  }
  tabs.hidden = model.get("tables").length < 2;

  let typing;
  const search = make("input", {
    type: "search",
    placeholder: "search, or column:word",
    "aria-label": "search the rows",
    on: {
      input: () => {
        clearTimeout(typing);
        typing = setTimeout(() => ask({ words: search.value, start: 0 }), TYPING);
      },
    },
  });
  const status = make("span", { role: "status", class: "lab-faint" });
  const turn = (label, words, to) => make("button", { text: label, "aria-label": words, title: words, on: { click: to } });
  const last = (page) => Math.floor(Math.max(page.matched - 1, 0) / page.size) * page.size;
  const first = turn("«", "first page", () => ask({ start: 0 }));
  const back = turn("‹", "page before", () => ask({ start: Math.max(shown.start - shown.size, 0) }));
  const next = turn("›", "next page", () => ask({ start: shown.start + shown.size }));
  const end = turn("»", "last page", () => ask({ start: last(shown) }));
  const size = make("select", {
    "aria-label": "rows on a page",
    on: { change: () => ask({ size: Number(size.value), start: 0 }) },
  });
  for (const rows of SIZES) size.append(make("option", { text: `${rows} rows`, value: rows }));
  const tools = make("div", { class: "lab-bar" }, search, status,
    make("span", { class: "lab-right" }, first, back, next, end, size));

  const scroll = make("div", { class: "lab-scroll" });
  const buttons = make("div", { class: "lab-bar lab-plots" });
  const plot = make("div", { class: "lab-plot" });
  el.append(style, facts, ...notes, tabs, tools, scroll, buttons, plot);

  let shown = model.get("page");
  let waiting = [];

  // Requests are numbered: an answer to an earlier one is shown, but does not end the waiting.
  function send(name, value, what) {
    model.set(name, { ...value, number: (model.get(name).number ?? 0) + 1 });
    model.save_changes();
    settle();
    waiting = [
      setTimeout(() => {
        el.classList.add("lab-waiting");
        status.textContent = `${what} …`;
      }, SLOW),
      setTimeout(() => {
        status.textContent = "no answer from the kernel: it is busy or has ended";
      }, SILENT),
    ];
  }

  function settle() {
    waiting.forEach(clearTimeout);
    el.classList.remove("lab-waiting");
  }

  function ask(changes, other = false) {
    if (other) {
      search.value = "";
      plot.replaceChildren();
    }
    send("query", { ...model.get("query"), ...changes }, "looking");
  }

  function turned(name) {
    if (shown.sort !== name) return { sort: name, descending: false };
    return shown.descending ? { sort: "", descending: false } : { sort: name, descending: true };
  }

  function heading(column) {
    const sorted = shown.sort === column.name;
    const arrow = sorted ? (shown.descending ? " ▼" : " ▲") : "";
    const sort = () => ask({ ...turned(column.name), start: 0 });
    return make(
      "th",
      {
        class: column.right ? "lab-number" : "",
        scope: "col",
        "aria-sort": sorted ? (shown.descending ? "descending" : "ascending") : "none",
      },
      make("button", { text: column.name + arrow, title: `sort by ${column.name}`, on: { click: sort } }),
    );
  }

  function cell(value, column) {
    const kind = column.right ? "lab-number" : "";
    if (value === null) return make("td", { text: "–", class: `${kind} lab-faint`, title: "nothing here" });
    const code = value.startsWith("0x") ? "lab-code" : "";
    return make("td", { text: value, class: `${kind} ${code}`, title: value.length > 30 ? value : undefined });
  }

  function draw() {
    settle();
    shown = model.get("page");
    if (!shown.columns) {
      for (const part of [tools, scroll, buttons]) part.hidden = true;
      return;
    }
    model.get("tables").forEach((table, at) =>
      tabs.children[at].setAttribute("aria-selected", String(table.name === shown.table)));
    if (document.activeElement !== search) search.value = shown.words;
    size.value = String(shown.size);
    const rows = shown.words.trim() ? `${count(shown.matched)} of ${count(shown.total)} rows match` : `${count(shown.total)} rows`;
    const until = shown.start + shown.rows.length;
    status.textContent = shown.rows.length < shown.matched ? `${count(shown.start + 1)}–${count(until)} of ${rows}` : rows;
    status.title = `answered in ${shown.milliseconds} ms`;
    first.disabled = back.disabled = shown.start === 0;
    next.disabled = end.disabled = until >= shown.matched;

    const names = make("tr", {}, make("th", { class: "lab-number", "aria-label": "row" }), ...shown.columns.map(heading));
    const body = shown.rows.map((row, at) =>
      make("tr", {}, make("td", { text: shown.labels[at], class: "lab-number lab-faint" }),
        ...row.map((value, column) => cell(value, shown.columns[column]))));
    const focused = scroll.contains(document.activeElement) ? document.activeElement.title : "";
    const left = scroll.scrollLeft;
    scroll.replaceChildren(make("table", {}, make("thead", {}, names), make("tbody", {}, ...body)));
    scroll.scrollLeft = left;
    if (focused) scroll.querySelector(`button[title="${CSS.escape(focused)}"]`)?.focus();
    if (!body.length) {
      const why = shown.total ? "No row matches." : "There are no rows.";
      scroll.append(make("div", { text: why, class: "lab-empty" }));
    }
    buttons.replaceChildren(
      ...shown.plots.map((words, at) =>
        make("button", { text: words, on: { click: () => want(at) } })));
    buttons.hidden = !shown.plots.length;
  }

  function want(at) {
    send("wanted", { table: shown.table, plot: at, dark: isDark(), width: el.clientWidth }, "drawing");
    [...buttons.children].forEach((button, other) => button.setAttribute("aria-pressed", String(other === at)));
  }

  let address = "";
  function picture() {
    settle();
    const { code, error } = model.get("drawn");
    if (code === undefined) return;
    draw();
    URL.revokeObjectURL(address);
    if (error) {
      plot.replaceChildren(make("pre", { text: error }));
      return;
    }
    address = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/png" }));
    // Two pixels of the picture are one of the page.
    const image = make("img", { alt: `plot: ${code}`, on: { load: () => (image.style.width = `${image.naturalWidth / 2}px`) } });
    image.src = address;
    const remark = make("div", { class: "lab-faint" }, "in a cell: ", make("code", { text: code }));
    plot.replaceChildren(image, remark);
  }

  model.on("change:page", draw);
  model.on("change:drawn", picture);
  draw();
  picture();
  return () => {
    settle();
    model.off("change:page", draw);
    model.off("change:drawn", picture);
    URL.revokeObjectURL(address);
  };
}

export default { render };
