// What can be said of a cell from its text alone.

const MAGIC = /^\s*%%bpf(?![^\s])/;
const WORD = /(?:[^\s'"\\]|\\[\s\S]|'[^']*'?|"(?:\\[\s\S]|[^"\\])*"?)+|\\$/g;

// Where the line of options begins and ends, undefined where the cell is none of ours.  IPython, too, passes
// over empty lines and spaces before it.
export function optionsLine(text) {
  const found = MAGIC.exec(text);
  if (!found) {
    return undefined;
  }
  const from = found[0].length - '%%bpf'.length;
  const end = text.indexOf('\n', from);
  return { from, to: end < 0 ? text.length : end };
}

// The words of a line of options, with what each is: magic, option, number, string, operator or command.
export function optionWords(line) {
  const words = [];
  let command = false;
  for (const found of line.matchAll(WORD)) {
    const [word] = found;
    const kind = kindOf(word, words.length === 0, command);
    words.push({ from: found.index, to: found.index + word.length, kind });
    command ||= kind === 'operator';
  }
  return words;
}

function kindOf(word, first, command) {
  if (first) {
    return 'magic';
  }
  if (command) {
    return 'command';
  }
  if (word === '--') {
    return 'operator';
  }
  if (word.startsWith('-') && !/^-[\d.]/.test(word)) {
    return 'option';
  }
  if (/^['"]/.test(word)) {
    return 'string';
  }
  return /^-?[\d.]+$/.test(word) ? 'number' : 'value';
}

// Where the marked places of an error are in the cell's text now.  A place that does not read as it did when the
// error was made is left out: the cell was changed since, and a mark would be at something else.
export function located(text, places) {
  const options = optionsLine(text);
  if (!options) {
    return [];
  }
  const lines = [];
  for (let from = options.from; from <= text.length; from = lines.at(-1).to + 1) {
    const end = text.indexOf('\n', from);
    lines.push({ from, to: end < 0 ? text.length : end });
  }
  return places.flatMap(place => {
    const line = lines[place.line];
    const range = line && within(text.slice(line.from, line.to), place);
    return range ? [{ from: line.from + range.from, to: line.from + range.to, place }] : [];
  });
}

function within(line, place) {
  const written = line.trim();
  if (!written || written !== place.text.trim()) {
    return undefined;
  }
  const indent = line.length - line.trimStart().length;
  if (!place.column) {
    return { from: indent, to: line.trimEnd().length };
  }
  // IPython takes the first line's indentation off all lines; Python counts characters, the browser UTF-16 units.
  const before = place.text.length - place.text.trimStart().length;
  const characters = [...place.text];
  const offset = count => characters.slice(0, count).join('').length - before + indent;
  const from = Math.min(Math.max(offset(place.column - 1), 0), line.length - 1);
  const to = Math.min(Math.max(offset(place.column - 1 + place.length), from + 1), line.length);
  return { from, to };
}
