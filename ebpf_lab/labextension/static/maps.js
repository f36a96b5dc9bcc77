// The colours of map definitions.  __uint(type, BPF_MAP_TYPE_HASH) is macros of libbpf, which C's grammar takes
// for declarations, of one thing here and of another there.

const FIELD = /\b(__(?:uint|ulong|type|array))\(\s*(\w+)\s*,\s*((?:[^()]|\([^()]*\))*)\)/dg;

export function makeMaps({ language, view }) {
  const { syntaxTree } = language;
  const { Decoration, EditorView, MatchDecorator, ViewPlugin } = view;
  const kinds = ['macro', 'field', 'value'];
  const marks = kinds.map(kind => Decoration.mark({ class: `ebpf-lab-map-${kind}` }));

  const fields = new MatchDecorator({
    regexp: FIELD,
    decorate: (add, from, to, match, editor) => {
      if (syntaxTree(editor.state).resolveInner(from, 1).name.endsWith('Comment')) {
        return;
      }
      marks.forEach((mark, index) => {
        const [begin, end] = match.indices[index + 1].map(at => from + at - match.index);
        if (!/^\d|^$/.test(match[index + 1])) {
          add(begin, end, mark);
        }
      });
    },
  });

  const colour = name => ({ '&, & *': { color: `var(--jp-mirror-editor-${name}-color)` } });
  return [
    ViewPlugin.define(
      editor => ({
        decorations: fields.createDeco(editor),
        update({ startState, state, view: changed, viewportChanged }) {
          // What is a comment is known from the tree, which may come later than the text.
          if (viewportChanged || syntaxTree(startState) !== syntaxTree(state)) {
            this.decorations = fields.createDeco(changed);
          }
        },
      }),
      { decorations: plugin => plugin.decorations },
    ),
    EditorView.baseTheme({
      '.ebpf-lab-map-macro': colour('def'),
      '.ebpf-lab-map-field': colour('property'),
      '.ebpf-lab-map-value': colour('builtin'),
    }),
  ];
}
