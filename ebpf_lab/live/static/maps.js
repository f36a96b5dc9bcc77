// The map inspector.
const MARKED_MS = 1500;

function render({ model, el }) {
  const root = element("div", "ebpf-live ebpf-maps ebpf-lab", el);
  const bar = element("div", "strip", root);
  const phase = element("span", "phase", bar);
  phase.setAttribute("role", "status");
  const maps = element("select", "names", element("label", "", bar, "map "));
  const order = element("select", "order", element("label", "", bar, "order "));
  const openLabel = element("label", "cpus", bar);
  const open = element("input", "", openLabel);
  open.type = "checkbox";
  openLabel.append(" each CPU");
  const pause = element("button", "pause", bar, "Pause");
  pause.title = "freeze what is shown";
  const about = element("div", "about", root);
  const step = element("div", "step", root);
  const error = makeError(root);
  const scroll = element("div", "scroll", root);
  const table = element("table", "rows", scroll);
  const said = element("div", "said", root);
  said.setAttribute("role", "status");

  let paused = false;
  let editing = null;
  let heard = performance.now();
  let state = model.get("state");
  let local = "";
  const send = sender(model);

  const current = () => state.tables[local] ?? state.tables[state.shown] ?? Object.values(state.tables)[0];

  function showStrip() {
    showPhase(root, phase, state, heard, paused);
    pause.hidden = !going(state);
    say(pause, paused ? "Resume" : "Pause");
    say(step, state.phase === "preparing" ? `${state.step || "not started"} …` : "");
    showError(error, state.error);
    said.classList.toggle("bad", Boolean(state.said.bad));
    say(said, state.said.bad ?? state.said.good ?? "");
  }

  function aboutWords(shown) {
    if (!state.names.length) return going(state) ? "" : "this program has no maps";
    if (!shown) return "";
    const all = shown.complete ? "" : " or more";
    const parts = [`${shown.kind}: ${events(shown.total).replace("event", "element")}${all} of at most ${whole(shown.room)}`];
    if (shown.total > shown.rows.length) {
      parts.push(`the ${shown.rows.length} ${shown.sorted === "key" ? "first" : "largest"} are shown`);
    }
    if (state.phase === "running") parts.push("double-click, or Enter, changes a value");
    if (state.phase === "ended") parts.push("as it was at the end");
    return parts.join(" · ");
  }

  function showTable() {
    const shown = current();
    fillSelect(maps, state.names, shown?.name ?? "");
    fillSelect(order, shown?.by_value ? ["key", "value"] : ["key"], shown?.sorted ?? "key");
    openLabel.hidden = !shown?.per_cpu;
    open.checked = Boolean(shown?.cpus);
    open.disabled = !going(state);
    say(about, aboutWords(shown));
    scroll.hidden = !shown;
    if (shown) fillRows(shown);
  }

  function fillRows(shown) {
    const names = JSON.stringify([shown.name, shown.columns]);
    if (table.dataset.columns !== names) {
      table.dataset.columns = names;
      table.replaceChildren();
      const head = element("tr", "", element("thead", "", table));
      for (const { name, number, type } of shown.columns) {
        element("th", number ? "number" : "", head, name).title = type;
      }
      element("tbody", "", table);
    }
    const body = table.tBodies[0];
    while (body.rows.length > shown.rows.length) body.deleteRow(-1);
    shown.rows.forEach(([key, row, changed], at) => {
      const line = body.rows[at] ?? body.insertRow();
      line.dataset.key = key;
      row.forEach((text, place) => {
        const { name, number, type } = shown.columns[place];
        const cell = line.cells[place] ?? element("td", number ? "number" : "", line);
        const editable = Boolean(type) && state.phase === "running";
        cell.dataset.column = name;
        cell.classList.toggle("editable", editable);
        cell.tabIndex = editable ? 0 : -1;
        cell.title = editable ? type : "";
        say(cell, text);
        if (changed.includes(place)) {
          cell.dataset.changed = state.number;
          cell.animate([{ background: "var(--ebpf-mark)" }, { background: "transparent" }], MARKED_MS);
        }
      });
    });
  }

  function edit(cell) {
    if (editing || !cell?.classList.contains("editable")) return;
    const before = cell.textContent;
    const input = document.createElement("input");
    input.value = before;
    input.setAttribute("aria-label", `${cell.dataset.column}, ${cell.title}`);
    const { key } = cell.parentElement.dataset;
    const { name } = current();
    editing = input;
    cell.replaceChildren(input);
    input.select();
    const done = (commit) => {
      if (editing !== input) return;
      editing = null;
      const text = input.value;
      cell.replaceChildren(document.createTextNode(before));
      if (commit) send({ kind: "edit", map: name, key, column: cell.dataset.column, text });
      cell.focus();
      update();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") done(true);
      if (event.key === "Escape") done(false);
    });
    input.addEventListener("blur", () => done(false));
  }

  function update() {
    state = model.get("state");
    heard = performance.now();
    paused &&= going(state);
    showStrip();
    if (paused) return;
    if (!editing) showTable();
    const { number } = state;
    if (going(state)) requestAnimationFrame(() => send({ kind: "shown", number }));
  }

  table.addEventListener("dblclick", (event) => edit(event.target.closest("td")));
  table.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "TD") return;
    event.preventDefault();
    event.stopPropagation();
    edit(event.target);
  });
  maps.addEventListener("input", () => {
    local = maps.value;
    send({ kind: "choose", what: "map", value: maps.value });
    if (!going(state)) showTable();
  });
  order.addEventListener("input", () => send({ kind: "choose", what: "order", value: order.value }));
  open.addEventListener("input", () => send({ kind: "choose", what: "cpus", value: open.checked }));
  pause.addEventListener("click", () => {
    paused = !paused;
    if (paused) showStrip();
    else update();
  });
  model.on("change:state", update);
  const clock = setInterval(showStrip, 1000);
  showStrip();
  showTable();
  send({ kind: "arrived" });
  return () => {
    clearInterval(clock);
    model.off("change:state", update);
  };
}

export default { render };
