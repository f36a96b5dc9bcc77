// The colours of map definitions.  __uint(type, BPF_MAP_TYPE_HASH) is macros of libbpf, which C's grammar takes
// for declarations, of one thing here and of another there.

const FIELD = /\b(__(?:uint|ulong|type|array))\(\s*(\w+)\s*,\s*([^()]*)\)/dg;

export function makeMaps({ language, view }) {
  const { syntaxTree } = language;
  const { Decoration, EditorView, MatchDecorator, ViewPlugin } = view;
  const marks = ['macro', 'field', 'type', 'constant'].map(kind => [
    kind,
    Decoration.mark({ class: `ebpf-lab-map-${kind}` }),
  ]);
  const mark = Object.fromEntries(marks);

  const fields = new MatchDecorator({
    regexp: FIELD,
    decorate: (add, from, to, match, editor) => {
      if (syntaxTree(editor.state).resolveInner(from, 1).name.endsWith('Comment')) {
        return;
      }
      const kinds = ['macro', 'field', match[1] === '__type' ? 'type' : 'constant'];
      kinds.forEach((kind, index) => {
        const [begin, end] = match.indices[index + 1].map(at => from + at - match.index);
        if (!/^\d|^$/.test(match[index + 1])) {
          add(begin, end, mark[kind]);
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
      '.ebpf-lab-map-type': colour('builtin'),
      '.ebpf-lab-map-constant': colour('atom'),
    }),
  ];
}
