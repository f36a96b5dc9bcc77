// The plugin: each code cell's editor gets the language of %%bpf cells, and marks of the last run's errors.

export function makePlugin(modules) {
  const { IEditorExtensionRegistry, IEditorLanguageRegistry, EditorExtensionRegistry } = modules.jupyterlab;
  const { makeLanguage } = modules.files.language;
  const { makeMarks } = modules.files.marks;
  return {
    id: 'ebpf-lab:cells',
    description: 'C in %%bpf cells: colours, comments, brackets, and the last run\'s errors where they are.',
    autoStart: true,
    requires: [IEditorExtensionRegistry, IEditorLanguageRegistry],
    activate(app, extensions, languages) {
      const languageOf = makeLanguage(modules, () => languages.getLanguage('C'));
      const marksOf = makeMarks(modules);
      extensions.addExtension({
        name: 'ebpf-lab:cells',
        factory: ({ model }) =>
          // Files and Markdown cells have editors, too.
          model.type === 'code'
            ? EditorExtensionRegistry.createImmutableExtension([
                languageOf(model.sharedModel.getSource()),
                model.outputs ? marksOf(model.outputs) : [],
              ])
            : null,
      });
    },
  };
}
