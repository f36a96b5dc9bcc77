"""``%%bpf``, which runs a cell's C in the kernel, and ``%bpf``, which looks after traces and probes."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from IPython.core.display_functions import display
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from ebpf_lab import session, warned
from ebpf_lab.errors import LabError, Mark, UsageProblem
from ebpf_lab.host import doctor, features, listing
from ebpf_lab.inside.view import Inside
from ebpf_lab.notebook import completion, error_html, maps, places, reference, tooltip
from ebpf_lab.notebook.failures import Failures
from ebpf_lab.notebook.reference import kernel
from ebpf_lab.notebook.registry import Background, Registry
from ebpf_lab.notebook.view.shown import LAST, Shown, Viewer
from ebpf_lab.recordings import course
from ebpf_lab.source import options, snippets
from ebpf_lab.source.words import did_you_mean

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ebpf_lab.notebook.hosts import HostCells

_SHOWN_OUTPUT = 4000
"""Most characters of the command's output shown below a cell."""
_LAST_LOOK_SECONDS = 10.0
"""Longest that a cell waits for its live view to have shown the end."""


@magics_class
class BpfMagics(Magics):
    """The lab's magics."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._registry = Registry()
        self._failures = Failures(shell)
        self._viewer = Viewer(shell)
        self.cells: dict[str, tuple[str, options.CellOptions]] = {}
        self._hosts: HostCells | None = None
        self._verbs: dict[str, Callable[[list[str]], object]] = {
            "status": self._status,
            "stop": self._stop,
            "probes": self._probes,
            "doctor": self._doctor,
            "show": self._show,
            "explain": self._explain,
            "help": self._help,
            "inside": self._inside,
            "hosts": lambda arguments: self._host_cells().table(arguments),
            "maps": self._maps,
        }
        completion.register(shell, self._verbs, self._registry.names)

    # No expansion: $i and {…} in a command or in a probe belong to the shell and to C.
    @no_var_expand
    @cell_magic
    def bpf(self, line: str, cell: str) -> object:
        """Compile the cell's C, attach it to the kernel, return the events as a DataFrame."""
        cell_options = options.parse_cell(line)
        if cell_options.output:
            self.cells[cell_options.output] = cell, cell_options
        key = self._cell_key(cell)
        self._registry.replace(key, cell_options.output)
        if cell_options.hosts:
            return self._bind(cell_options.output, self._on_hosts(cell, cell_options))
        printed: list[bytes] = []
        made = session.prepare(
            cell,
            seconds=cell_options.seconds,
            events=cell_options.events,
            command=cell_options.command,
            attach=cell_options.attach,
            set=cell_options.settings,
            only=cell_options.only,
            backend=cell_options.backend,
            event=cell_options.stream_types,
            keep=cell_options.keep,
            output=printed.append,
            record=cell_options.record or course.records(),
            replay=cell_options.replay or (None if cell_options.record else course.replays()),
            pace=cell_options.pace,
            hold=cell_options.background,
            hot=cell_options.hot,
        )
        self.shell.user_ns[LAST] = made
        with _shown_live(made) if cell_options.live else contextlib.nullcontext():
            if cell_options.background:
                made.start()
            else:
                made.run()
        if cell_options.background:
            self._warn(made.warnings, made.spec.text)
            if replayed := made.results().replayed:
                print(replayed)
            self._registry.add(Background(key, cell_options.output, made))
            return self._bind(cell_options.output, made)
        _print_output(b"".join(printed))
        self._warn(made.warnings, made.spec.text)
        if not cell_options.output:
            return self._viewer.result(made.results())
        if not cell_options.live:  # the view ends with it
            self._viewer.header(made.results())
        return self._bind(cell_options.output, made.frame)

    @no_var_expand
    @line_magic("bpf")  # type: ignore[arg-type]  # IPython declares named magics as taking no function
    def bpf_line(self, line: str) -> object:
        """Look after traces, probes, hosts: status, stop, inside, maps, probes PATTERN, doctor, help NAME…"""
        try:
            verb, *arguments = shlex.split(line) or ["status"]
        except ValueError as error:
            raise UsageProblem(f"%bpf {line}: {error}", hint="close the quotation mark") from None
        if verb not in self._verbs:
            raise UsageProblem(
                f"%bpf {verb}: there is no such verb",
                hint=did_you_mean(verb, self._verbs)
                or "status, stop, inside or maps [NAME], probes PATTERN, doctor, show SNIPPET, explain,"
                " help NAME or hosts",
            )
        return self._verbs[verb](arguments)

    def _warn(self, warnings: Sequence[Mark], text: str) -> None:
        if warnings:
            page = error_html.warnings(warnings, text, warned.title(warnings))
            shown = {"text/html": page, "text/plain": warned.words(warnings)}
            self.shell.display_pub.publish(shown, places.of_warnings(warnings))

    def _on_hosts(self, cell: str, given: options.CellOptions) -> pd.DataFrame:
        from ebpf_lab.notebook import hosts

        made = self.shell.user_ns[LAST] = self._host_cells().prepare(cell, given)
        hosts.run(made, _print_output, self._viewer.header)
        self._warn(made.warnings, cell)
        if not given.output:
            return self._viewer.result(made)
        self._viewer.header(made)
        return made.frame

    def _host_cells(self) -> HostCells:
        # Only who asks for hosts pays for what reaches them.
        from ebpf_lab.notebook.hosts import HostCells

        if self._hosts is None:
            self._hosts = HostCells()
        return self._hosts

    def _bind(self, name: str, value: object) -> object:
        if not name:
            return value
        self.shell.user_ns[name] = value
        return None

    def _cell_key(self, cell: str) -> str:
        # JupyterLab, Notebook 7 and VS Code say which cell a request came from; elsewhere a cell is its text.
        kernel = getattr(self.shell, "kernel", None)
        parent = kernel.get_parent() if kernel is not None else {}
        identity = parent.get("metadata", {}).get("cellId")
        return str(identity) if identity else hashlib.sha256(cell.encode()).hexdigest()

    def _status(self, arguments: list[str]) -> pd.DataFrame:
        _no_more("status", arguments)
        rows = [
            {
                "name": entry.name,
                "seconds": round(results.seconds, 1),
                "events": results.delivered,
                "lost": results.dropped,
                "probes": ", ".join(str(program.probe) for program in entry.trace.spec.programs),
            }
            for entry in self._registry.running()
            for results in [entry.trace.results()]
        ]
        return pd.DataFrame(rows, columns=["name", "seconds", "events", "lost", "probes"])

    def _stop(self, arguments: list[str]) -> object:
        name = arguments.pop(0) if arguments else ""
        _no_more("stop", arguments)
        stopped = self._registry.take(name)
        if name and not stopped:
            raise UsageProblem(
                f"%bpf stop {name}: no background trace has this name",
                hint=did_you_mean(name, self._registry.names()) or "%bpf status lists them",
            )
        for entry in stopped:
            entry.trace.end()
        for entry in stopped:
            entry.trace.stop()
            self._viewer.header(entry.trace.results())
        return Shown.of(stopped[0].trace.results(), headed=False) if len(stopped) == 1 else None

    def _probes(self, arguments: list[str]) -> pd.DataFrame:
        if len(arguments) != 1:
            raise UsageProblem(
                "%bpf probes takes one pattern", hint="%bpf probes 'tracepoint:syscalls:*openat*'"
            )
        try:
            found = listing.list_probes(arguments[0])
        except LabError as error:
            if course.replays() is None:
                raise
            # A lesson that is shown goes on: what was traced is in its recordings all the same.
            print(f"{error.what}, and nothing of this notebook runs in a kernel: there is nothing to list.")
            found = []
        return pd.DataFrame(found, columns=["kind", "probe"])

    def _doctor(self, arguments: list[str]) -> None:
        _no_more("doctor", arguments)
        found = doctor.report()
        if (directory := course.replays()) is not None:
            print(f"Nothing of this notebook runs in a kernel here: its cells replay {directory}.\n")
        print(f"{doctor.text(found)}\n\n{doctor.verdict(found).words}")

    def _explain(self, arguments: list[str]) -> None:
        _no_more("explain", arguments)
        self._failures.explain()

    def _help(self, arguments: list[str]) -> None:
        name = " ".join(arguments)
        if not name:
            print(options.usage())
            return
        found = tooltip.option(name) or kernel.look_up(name)
        if found is None:
            raise UsageProblem(
                f"%bpf help {name}: the lab knows nothing of it",
                hint=did_you_mean(name, reference.names())
                or "it knows helpers, macros, flags, types of maps and programs, probes, kernel types",
            )
        self.shell.display_pub.publish({"text/plain": found.plain(), "text/html": found.html()})

    def _maps(self, arguments: list[str]) -> object:
        name = arguments.pop(0) if arguments else ""
        _no_more("maps", arguments)
        *first, last = maps.views(name, self._registry.running(), self.shell.user_ns.get(LAST))
        for view in first:
            display(view)  # type: ignore[no-untyped-call]
        return last

    def _inside(self, arguments: list[str]) -> Inside:
        name = arguments.pop(0) if arguments else ""
        _no_more("inside", arguments)
        found = self.shell.user_ns.get(name or LAST)
        if isinstance(found, session.Trace):
            return found.inside()
        if not name:
            raise UsageProblem("%bpf inside: nothing was traced yet", hint="run a %%bpf cell first")
        traces = [each for each, value in self.shell.user_ns.items() if isinstance(value, session.Trace)]
        raise UsageProblem(
            f"%bpf inside {name}: there is no trace of this name",
            why="-o names the frame, unless the trace runs in the background" if found is not None else "",
            hint=did_you_mean(name, traces) or "%bpf inside is about the trace that ran last",
        )

    def _show(self, arguments: list[str]) -> None:
        if len(arguments) != 1:
            raise UsageProblem(
                "%bpf show takes the name of a snippet", hint="such as: " + ", ".join(snippets.names())
            )
        snippet = snippets.load(arguments[0], lambda each: features.missing(each.needs) is None)
        print(f"{snippet.name}: {snippet.title}")
        for when, commands in (("before", snippet.setup), ("after", snippet.cleanup)):
            if commands:
                print(f"\nIt takes a cell {when} it:\n\n%%sh -e\n{commands}")
        words = ["%%bpf", *(f"--attach {function}={probe}" for function, probe in snippet.attach.items())]
        if snippet.workload:
            words.append(f"-- sh -c {shlex.quote(snippet.workload)}")
        self.shell.set_next_input(f"{' '.join(words)}\n{snippet.text}")


@contextlib.contextmanager
def _shown_live(trace: session.Trace) -> Iterator[None]:
    """Show a trace while the body starts it; where it then has ended, to its end."""
    view = trace.live()
    display(view)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if trace.ended:
            view.join(_LAST_LOOK_SECONDS)


def _no_more(verb: str, arguments: list[str]) -> None:
    if arguments:
        raise UsageProblem(f"%bpf {verb} takes nothing more, but has {' '.join(arguments)!r}")


def _print_output(printed: bytes) -> None:
    text = printed.decode("utf-8", "backslashreplace")
    if len(text) > _SHOWN_OUTPUT:
        print(text[:_SHOWN_OUTPUT] + f"\n… ({len(text) - _SHOWN_OUTPUT:,} more characters)")
    elif text:
        print(text, end="" if text.endswith("\n") else "\n")
