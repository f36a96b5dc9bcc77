// The live view.
const SPARK = { width: 240, height: 28, least: 40 };

// Rows and cells are made once and filled again.
function fillTable(table, columns, rows) {
  const names = JSON.stringify(columns);
  if (table.dataset.columns !== names) {
    table.dataset.columns = names;
    table.replaceChildren();
    const head = element("tr", "", element("thead", "", table));
    for (const [name, number] of columns) element("th", number ? "number" : "", head, name);
    element("tbody", "", table);
  }
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((row, at) => {
    const line = body.rows[at] ?? body.insertRow();
    row.forEach((text, place) => {
      const cell = line.cells[place] ?? element("td", columns[place][1] ? "number" : "", line);
      say(cell, text);
    });
  });
}

function fillTop(list, top) {
  const most = top.values.length ? top.values[0][1] : 1;
  while (list.children.length > top.values.length) list.lastChild.remove();
  top.values.forEach(([value, count], at) => {
    let line = list.children[at];
    if (!line) {
      line = element("li", "", list);
      for (const name of ["bar", "name", "count"]) element("span", name, line);
    }
    const [bar, name, number] = line.children;
    bar.style.width = `${(100 * count) / most}%`;
    say(name, value || "(none)");
    say(number, whole(count));
  });
}

function makeSpark(parent) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", `0 0 ${SPARK.width} ${SPARK.height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const parts = {};
  for (const [name, kind] of [["title", "title"], ["lost", "path"], ["rates", "polyline"]]) {
    parts[name] = document.createElementNS(space, kind);
    parts[name].setAttribute("class", `spark-${name}`);
    svg.append(parts[name]);
  }
  parent.append(svg);
  return parts;
}

function drawSpark(parts, { points, lost_points: lost, point_seconds: seconds }) {
  const { width, height, least } = SPARK;
  const most = Math.max(1, ...points, ...lost);
  const step = width / (Math.max(points.length, least) - 1);
  const x = (at) => (width - (points.length - 1 - at) * step).toFixed(1);
  const y = (value) => (height - 1.5 - ((height - 3) * value) / most).toFixed(1);
  parts.rates.setAttribute("points", points.map((value, at) => `${x(at)},${y(value)}`).join(" "));
  const bars = lost.map((value, at) => (value ? `M${x(at)} ${height}V${y(value)}` : ""));
  parts.lost.setAttribute("d", bars.join(""));
  const span = `over the last ${(points.length * seconds).toFixed(0)} s, up to ${whole(most)}`;
  say(parts.title, `events a second ${span}; lost ones in red`);
}

function render({ model, el }) {
  const root = element("div", "ebpf-live ebpf-lab", el);
  const bar = element("div", "strip", root);
  const phase = element("span", "phase", bar);
  phase.setAttribute("role", "status");
  const stop = element("button", "stop", bar, "Stop");
  stop.title = "end the trace and keep what came";
  const pause = element("button", "pause", bar, "Pause");
  pause.title = "freeze what is shown; events are collected all the same";
  const replayed = element("span", "replayed", bar);
  const came = element("span", "came", bar);
  const rate = element("span", "rate", bar);
  const lost = element("span", "lost", bar);
  const seconds = element("span", "seconds", bar);
  const spark = makeSpark(bar);
  const step = element("div", "step", root);
  const error = makeError(root);
  const header = element("div", "header", root);
  const notes = element("div", "notes", root);
  const body = element("div", "body", root);
  const left = element("div", "left", body);
  const controls = element("div", "controls", left);
  const tables = element("select", "tables", controls);
  tables.title = "which events";
  const filter = element("input", "filter", controls);
  filter.type = "search";
  filter.placeholder = "filter: text, or column=value";
  filter.setAttribute("aria-label", "filter the rows");
  const table = element("table", "rows", element("div", "scroll", left));
  const right = element("div", "right", body);
  const columns = element("select", "columns", element("label", "", right, "most frequent "));
  const top = element("ol", "top", right);
  const sample = element("div", "sample", root);

  let paused = false;
  let stopped = false;
  let heard = performance.now();
  let state = model.get("state");

  const send = sender(model);
  const choose = (name, node) => node.addEventListener("input", () => {
    send({ kind: "choose", what: name, value: node.value });
  });

  function showStrip() {
    showPhase(root, phase, state, heard, paused);
    say(came, events(state.events));
    say(rate, going(state) ? `${whole(state.rate)}/s` : "");
    say(lost, `${whole(state.lost)} lost`);
    lost.classList.toggle("some", state.lost > 0);
    say(seconds, `${state.seconds.toFixed(going(state) ? 1 : 2)} s`);
    // What was chosen is counted from then on: after the end there is nothing to choose.
    controls.hidden = columns.disabled = stop.hidden = pause.hidden = !going(state);
    stop.disabled = stopped;
    say(replayed, state.replayed);
    say(stop, going(state) && stopped ? "Stopping …" : "Stop");
    say(pause, paused ? "Resume" : "Pause");
    say(step, state.phase === "preparing" ? `${state.step || "starting"} …` : "");
    showError(error, state.error);
    say(header, state.header);
    say(notes, state.notes.join("\n"));
  }

  function sampleWords() {
    const parts = [];
    if (state.filter) parts.push(`rows with “${state.filter}”`);
    if (state.came) {
      parts.push(
        state.decoded === state.came
          ? `rows and counts are of all ${events(state.came)}`
          : `rows and counts are of a sample: ${whole(state.decoded)} of ${events(state.came)}`,
      );
    }
    if (state.not_kept) parts.push(`${whole(state.not_kept)} not kept: more with --keep SIZE`);
    else if (state.came) parts.push("the frame keeps every event");
    return parts.join(" · ");
  }

  function showBody() {
    body.hidden = !state.columns.length;
    fillSelect(tables, state.tables, state.table);
    tables.hidden = state.tables.length < 2;
    if (document.activeElement !== filter) filter.value = state.filter;
    fillTable(table, state.columns, state.rows);
    fillSelect(columns, state.top.choices, state.top.column);
    right.hidden = !state.top.values.length;
    fillTop(top, state.top);
    say(sample, sampleWords());
    drawSpark(spark, state);
  }

  function update() {
    state = model.get("state");
    heard = performance.now();
    paused &&= going(state);
    showStrip();
    if (paused) return;
    showBody();
    const { number } = state;
    // Nothing comes after the end, which need not be acknowledged.
    if (going(state)) requestAnimationFrame(() => send({ kind: "shown", number }));
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    if (paused) showStrip();
    else update();
  });
  stop.addEventListener("click", () => {
    stopped = true;
    send({ kind: "stop" });
    showStrip();
  });
  choose("table", tables);
  choose("column", columns);
  choose("filter", filter);
  model.on("change:state", update);
  const clock = setInterval(showStrip, 1000);
  showStrip();
  showBody();
  error.open = !!state.error;
  send({ kind: "arrived" });
  return () => {
    clearInterval(clock);
    model.off("change:state", update);
  };
}

export default { render };
