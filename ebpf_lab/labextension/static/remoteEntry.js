// What JupyterLab loads: a container of webpack's module federation, which takes CodeMirror and the rest from
// JupyterLab itself.  Nothing here is built: what the browser runs is what stands in these files.
(() => {
  const here = new URL(document.currentScript.src);
  const own = ['language', 'maps', 'marks', 'plugin', 'text'];
  const taken = {
    jupyterlab: '@jupyterlab/codemirror',
    language: '@codemirror/language',
    state: '@codemirror/state',
    view: '@codemirror/view',
    common: '@lezer/common',
    highlight: '@lezer/highlight',
  };
  let scope;

  // Several versions may be offered, and all must take the same one: webpack's rule is the one that is loaded,
  // else the newest.
  async function take(name) {
    const versions = Object.entries(scope[name] ?? {});
    versions.sort(([one], [other]) => other.localeCompare(one, 'en', { numeric: true }));
    const [, offered] = versions.find(([, { loaded }]) => loaded) ?? versions[0] ?? [];
    if (!offered) {
      throw new Error(`ebpf-lab: JupyterLab does not share ${name}`);
    }
    offered.loaded = 1;
    const factory = await offered.get();
    return factory();
  }

  // Browsers keep these files for a year, as the server tells them to.  The address of this one says which
  // content it has (package.json), and so must the others': they are imported here alone, not by each other.
  async function load(name) {
    const address = new URL(`${name}.js`, here);
    address.search = here.search;
    return import(address);
  }

  async function all(entries, get) {
    return Object.fromEntries(await Promise.all(entries.map(async ([key, name]) => [key, await get(name)])));
  }

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB['ebpf-lab'] = {
    init(shared) {
      scope = shared;
    },
    async get(name) {
      if (name !== './extension') {
        throw new Error(`ebpf-lab has no module ${name}`);
      }
      const [shared, files] = await Promise.all([
        all(Object.entries(taken), take),
        all(own.map(each => [each, each]), load),
      ]);
      const plugin = files.plugin.makePlugin({ ...shared, files });
      // JupyterLab writes into what it is given, so it cannot be the frozen namespace of an ES module.
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
