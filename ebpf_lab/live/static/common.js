// What the views have in common.  An update is acknowledged once it is shown: Python sends the next one only
// then, so that a slow, hidden or paused page never has a queue.
const SILENT_MS = 4000;

function element(tag, name, parent, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const whole = (number) => Math.round(number).toLocaleString("en");
const events = (number) => `${whole(number)} event${number === 1 ? "" : "s"}`;

function fillSelect(select, choices, chosen) {
  const names = JSON.stringify(choices);
  if (select.dataset.choices !== names) {
    select.dataset.choices = names;
    select.replaceChildren(...choices.map((name) => new Option(name, name)));
  }
  if (document.activeElement !== select) select.value = chosen;
}

function going(state) {
  return state.phase === "preparing" || state.phase === "running";
}

function showPhase(root, phase, state, heard, paused) {
  const silent = going(state) && !paused && !document.hidden && performance.now() - heard > SILENT_MS;
  root.dataset.phase = state.phase;
  root.dataset.paused = String(paused);
  root.dataset.silent = String(silent);
  say(phase, silent ? "no answer" : going(state) && paused ? "paused" : state.phase);
  phase.title = silent ? "the kernel is busy or gone: this is how it stood" : "";
}

function makeError(root) {
  const error = element("details", "error", root);
  element("summary", "", error);
  element("pre", "", error);
  return error;
}

function showError(error, text) {
  const [first, ...rest] = text.split("\n");
  say(error.children[0], first);
  say(error.children[1], rest.join("\n"));
  error.hidden = !text;
}

function sender(model) {
  return (message) => {
    try {
      model.send(message);
    } catch {
      // A page without a kernel, such as a saved notebook: there is nobody to tell.
    }
  };
}
