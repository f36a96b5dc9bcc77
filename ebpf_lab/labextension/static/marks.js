// Marks of the last run's errors in the cell that was run.  What they are comes with the cell's outputs, so they
// are there after a reload, too, and go when the outputs go.

// Under this name the kernel puts the places into the metadata of an error's output.
const METADATA = 'ebpf-lab';

export function makeMarks({ state, view, files }) {
  const { located } = files.text;
  const { StateEffect, StateField } = state;
  const { Decoration, EditorView, ViewPlugin, hoverTooltip } = view;
  const replaced = StateEffect.define();

  function marked(doc, places) {
    const ranges = located(doc.toString(), places).map(({ from, to, place }) =>
      Decoration.mark({ class: `ebpf-lab-mark ebpf-lab-${place.severity}`, place }).range(from, to),
    );
    return Decoration.set(ranges, true);
  }

  const tooltip = field =>
    hoverTooltip((editor, at) => {
      const found = [];
      let [pos, end] = [at, at];
      editor.state.field(field).between(at, at, (from, to, { spec }) => {
        found.push(spec.place);
        [pos, end] = [Math.min(pos, from), Math.max(end, to)];
      });
      return found.length ? { pos, end, above: true, create: () => ({ dom: messages(found) }) } : null;
    });

  return outputs => {
    const field = StateField.define({
      create: ({ doc }) => marked(doc, placesOf(outputs)),
      update(marks, transaction) {
        const effect = transaction.effects.find(each => each.is(replaced));
        return effect ? marked(transaction.newDoc, effect.value) : marks.map(transaction.changes);
      },
      provide: each => EditorView.decorations.from(each),
    });
    const following = ViewPlugin.define(editor => {
      const follow = () => {
        const places = placesOf(outputs);
        // Outputs may come a thousand times a second, and hardly ever are they errors.
        if (places.length || editor.state.field(field).size) {
          editor.dispatch({ effects: replaced.of(places) });
        }
      };
      outputs.changed.connect(follow);
      return { destroy: () => outputs.changed.disconnect(follow) };
    });
    return [field, following, tooltip(field), theme(EditorView)];
  };
}

function placesOf(outputs) {
  const places = [];
  for (let index = 0; index < outputs.length; index++) {
    places.push(...(outputs.get(index).metadata?.[METADATA]?.places ?? []));
  }
  return places;
}

function messages(places) {
  const dom = document.createElement('div');
  dom.className = 'ebpf-lab-messages';
  for (const { severity, message } of places) {
    const line = document.createElement('div');
    line.className = `ebpf-lab-message ebpf-lab-${severity}`;
    line.textContent = message;
    dom.append(line);
  }
  return dom;
}

// Shapes differ as well as colours, for those who cannot tell red from the rest.
function theme(EditorView) {
  return EditorView.baseTheme({
    '.ebpf-lab-mark': { textDecorationSkipInk: 'none', textUnderlineOffset: '0.2em' },
    '.ebpf-lab-mark.ebpf-lab-error': {
      textDecoration: 'underline wavy 1px var(--jp-error-color1, #d32f2f)',
      backgroundColor: 'rgba(220, 50, 47, 0.14)',
    },
    '.ebpf-lab-mark.ebpf-lab-warning': { textDecoration: 'underline wavy 1px var(--jp-warn-color1, #f57c00)' },
    '.ebpf-lab-mark.ebpf-lab-note': { textDecoration: 'underline dotted 2px var(--jp-info-color1, #0097a7)' },
    '.cm-tooltip.cm-tooltip-hover': { zIndex: 10000 },
    '.ebpf-lab-messages': {
      maxWidth: 'min(60em, 90vw)',
      backgroundColor: 'var(--jp-layout-color1, white)',
      color: 'var(--jp-ui-font-color1, black)',
      border: '1px solid var(--jp-border-color1, gray)',
      boxShadow: 'var(--jp-elevation-z4)',
    },
    '.ebpf-lab-message': {
      padding: '4px 8px',
      whiteSpace: 'pre-wrap',
      fontFamily: 'var(--jp-code-font-family, monospace)',
      fontSize: 'var(--jp-code-font-size, 13px)',
      borderLeft: '3px solid',
    },
    '.ebpf-lab-message.ebpf-lab-error': { borderLeftColor: 'var(--jp-error-color1, #d32f2f)' },
    '.ebpf-lab-message.ebpf-lab-warning': { borderLeftColor: 'var(--jp-warn-color1, #f57c00)' },
    '.ebpf-lab-message.ebpf-lab-note': { borderLeftColor: 'var(--jp-info-color1, #0097a7)' },
  });
}
