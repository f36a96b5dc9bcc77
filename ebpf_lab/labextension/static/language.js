// The language of %%bpf cells: a line of options, then C.  It takes the place of the notebook's own as soon as
// a cell begins with %%bpf, and leaves as soon as it does not.

const C_COMMENTS = { line: '//', block: { open: '/*', close: '*/' } };

// The extension of one editor, from the text that it begins with.  loadC promises JupyterLab's language C.
export function makeLanguage(modules, loadC) {
  const { optionsLine } = modules.files.text;
  const { Compartment, EditorState, Prec } = modules.state;
  const { HighlightStyle, syntaxHighlighting } = modules.language;
  const { tags } = modules.highlight;
  const bpf = bpfLanguage(modules, loadC);
  // The first language is the one that counts, and the notebook's own is there whatever happens to this one: an
  // editor must never be without.
  const chosen = new Compartment();
  const extension = [
    bpf.extension,
    // JupyterLab's colours are for languages without names of types in their texts.
    syntaxHighlighting(
      HighlightStyle.define([{ tag: tags.typeName, color: 'var(--jp-mirror-editor-builtin-color)' }]),
    ),
    modules.files.maps.makeMaps(modules),
    // Of C itself this would be known too, but not at the text's end, nor before C is loaded.
    EditorState.languageData.of((now, at) =>
      at > optionsLine(now.sliceDoc())?.to ? [{ commentTokens: C_COMMENTS }] : [],
    ),
  ].map(Prec.highest);
  const of = text => (optionsLine(text) ? extension : []);
  return text => [
    chosen.of(of(text)),
    EditorState.transactionExtender.of(transaction => {
      if (!transaction.docChanged) {
        return null;
      }
      const wanted = of(transaction.newDoc.toString());
      const had = chosen.get(transaction.startState);
      return wanted.length === had.length ? null : { effects: chosen.reconfigure(wanted) };
    }),
  ];
}

function bpfLanguage({ common, highlight, language, files }, loadC) {
  // The first line alone is a Python cell's: commented out, with all below it, the cell does nothing.
  const data = language.defineLanguageFacet({ commentTokens: { line: '#' } });
  let c;
  let loading;

  // C comes with the first cell that needs it; until then its text is marked as not parsed yet.
  function parserOfC() {
    loading ??= loadC().then(found => {
      c = found.support.language.parser;
    });
    return c ?? new Unparsed(language.ParseContext.getSkippingParser(loading));
  }

  // All of the text as one token: with none where the cursor is, JupyterLab would offer every other token, and
  // complete a word behind itself.
  const unparsed = common.NodeType.define({ id: 0, name: 'Unparsed', top: true });

  class Unparsed extends common.Parser {
    constructor(skipping) {
      super();
      this.skipping = skipping;
    }

    createParse(input, fragments, ranges) {
      const parse = this.skipping.createParse(input, fragments, ranges);
      const { advance } = parse;
      parse.advance = () => {
        const { length } = advance.call(parse);
        return new common.Tree(unparsed, [], [], length);
      };
      return parse;
    }
  }

  const nested = common.parseMixed(node => (node.name === 'Body' ? { parser: parserOfC() } : null));
  const build = treeBuilder(common, highlight, language, files.text, data);

  class BpfParser extends common.Parser {
    createParse(input, fragments, ranges) {
      const whole = {
        parsedPos: ranges[0].from,
        stoppedAt: null,
        stopAt(at) {
          this.stoppedAt = at;
        },
        advance() {
          this.parsedPos = input.length;
          return build(input.read(0, input.length));
        },
      };
      return nested(whole, input, fragments, ranges);
    }
  }

  return new language.Language(data, new BpfParser(), [], 'bpf');
}

// From a cell's text to its tree: one node a word of the options, and one for all below them.
function treeBuilder(common, highlight, { languageDataProp }, { optionsLine, optionWords }, data) {
  const { NodeSet, NodeType, Tree } = common;
  const { styleTags, tags } = highlight;
  const styles = {
    magic: tags.meta,
    option: tags.attributeName,
    number: tags.number,
    string: tags.string,
    operator: tags.operator,
    command: tags.string,
    value: tags.name,
  };
  const kinds = Object.keys(styles);
  const named = kind => kind[0].toUpperCase() + kind.slice(1);
  const { types } = new NodeSet([
    NodeType.define({ id: 0, name: 'Cell', top: true, props: [[languageDataProp, data]] }),
    NodeType.define({ id: 1, name: 'Body' }),
    ...kinds.map((kind, index) => NodeType.define({ id: index + 2, name: named(kind) })),
  ]).extend(styleTags(Object.fromEntries(kinds.map(kind => [named(kind), styles[kind]]))));
  const typeOf = Object.fromEntries(kinds.map((kind, index) => [kind, types[index + 2]]));

  return text => {
    const line = optionsLine(text) ?? { from: 0, to: text.length };
    const children = [];
    const positions = [];
    const add = (type, from, to) => {
      children.push(new Tree(type, [], [], to - from));
      positions.push(from);
    };
    for (const word of optionWords(text.slice(line.from, line.to))) {
      add(typeOf[word.kind], line.from + word.from, line.from + word.to);
    }
    if (line.to < text.length) {
      add(types[1], line.to + 1, text.length);
    }
    return new Tree(types[0], children, positions, text.length);
  };
}
