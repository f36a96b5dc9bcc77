"""The result of a cell in JupyterLab: pages of a long table, plots, and what stays without a kernel."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect
from support.jupyter_page import Lab, serving
from support.machine import ROOT

SCREENSHOTS = ROOT / "build/screenshots"
READS = 50_021
NAME = "<b id=evil>"
"""A program may be called so, and its name is text wherever it is shown."""

# Reads of one byte: of such a program there are as many as it is told.
LINK = f'mkdir -p "$0"; ln -s $(which dd) "$0/{NAME}"'
RUN = f'{LINK}; "$0/{NAME}" if=/dev/zero of=/dev/null bs=1 count={READS} status=none'
CELL = f"""%%bpf -- sh -ec '{RUN}' FOLDER
struct event {{ u64 ts; u64 number; void *address; u32 pid; char comm[16]; }};
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 24); }} events SEC(".maps");
u64 reads;

SEC("tracepoint/syscalls/sys_enter_read")
int enter(struct trace_event_raw_sys_enter *ctx)
{{
    char comm[16];
    bpf_get_current_comm(comm, sizeof(comm));
    if (comm[0] != '<' || ctx->args[2] != 1)
        return 0;
    struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event)
        return 0;
    event->ts = bpf_ktime_get_ns();
    event->number = reads++;
    event->address = (void *)ctx->args[1];
    event->pid = bpf_get_current_pid_tgid() >> 32;
    __builtin_memcpy(event->comm, comm, sizeof(comm));
    bpf_ringbuf_submit(event, 0);
    return 0;
}}
"""
# Blocks until there is a file.
WAIT = """import pathlib, time
while not pathlib.Path("done").exists():
    time.sleep(0.01)"""
LOAD, BPF, BLOCK = range(3)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with serving(tmp_path_factory.mktemp("views")) as served:
        cell = CELL.replace("FOLDER", str(served.folder), 1)
        served.open("views.ipynb", ["%load_ext ebpf_lab", cell, WAIT])
        served.run(LOAD)
        served.run(BPF)
        view(served).locator("tbody tr").first.wait_for(timeout=60_000)
        yield served


def output(lab: Lab) -> Locator:
    return lab.page.locator(".jp-CodeCell").nth(BPF).locator(".jp-OutputArea")


def view(lab: Lab) -> Locator:
    return output(lab).locator(".lab-view")


def column(lab: Lab, name: str) -> list[str]:
    names = [each.rstrip(" ▲▼") for each in view(lab).locator("thead th").all_inner_texts()]
    return view(lab).locator(f"tbody td:nth-child({names.index(name) + 1})").all_inner_texts()


def pictured(lab: Lab, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    lab.page.screenshot(path=SCREENSHOTS / f"view-{name}.png")


def static(lab: Lab) -> Locator:
    return output(lab).locator("[data-ebpf-lab]")


def test_the_first_click_is_answered_while_a_cell_is_at_work(lab: Lab) -> None:
    prompt = lab.page.locator(".jp-CodeCell").nth(BLOCK).locator(".jp-InputPrompt")
    lab.run(BLOCK)
    expect(prompt).to_have_text("[*]:")
    for click, rows in (("next page", "11–20"), ("page before", "1–10")):
        view(lab).get_by_label(click).click()
        expect(view(lab).get_by_role("status")).to_have_text(f"{rows} of {READS:,} rows")
    expect(prompt).to_have_text("[*]:")
    (lab.folder / "done").touch()
    expect(prompt).to_have_text("[3]:")


def test_a_long_table_is_paged_sorted_and_searched(lab: Lab) -> None:
    shown = view(lab)
    assert shown.locator(".lab-facts").inner_text().startswith(f"{READS:,} events")
    expect(shown.get_by_role("status")).to_have_text(f"1–10 of {READS:,} rows")
    assert column(lab, "number") == [str(number) for number in range(10)]

    shown.get_by_label("last page").click()
    expect(shown.get_by_role("status")).to_have_text(f"50,021–50,021 of {READS:,} rows")
    assert column(lab, "number") == ["50020"]

    sort = shown.get_by_title("sort by number")
    sort.click()
    expect(shown.locator("th[aria-sort=ascending]")).to_have_text("number ▲")
    sort.click()
    expect(shown.locator("th[aria-sort=descending]")).to_have_text("number ▼")
    assert column(lab, "number") == [str(number) for number in range(50020, 50010, -1)]

    shown.get_by_label("search the rows").fill("number:4999 comm:evil")
    # 4999, 14999 to 44999, and 49990 to 49999.
    expect(shown.get_by_role("status")).to_have_text(f"1–10 of 15 of {READS:,} rows match")
    assert column(lab, "number")[:3] == ["49999", "49998", "49997"]
    shown.get_by_label("rows on a page").select_option("25")
    expect(shown.get_by_role("status")).to_have_text(f"15 of {READS:,} rows match")
    assert column(lab, "number")[-1] == "4999"
    pictured(lab, "searched")


def test_names_are_text(lab: Lab) -> None:
    assert set(column(lab, "comm")) == {NAME}
    assert lab.page.locator("#evil").count() == 0
    assert all(re.fullmatch("0x[0-9a-f]+", each) for each in column(lab, "address"))


def test_a_click_draws_a_plot(lab: Lab) -> None:
    view(lab).get_by_role("button", name="Timeline").click()
    picture = view(lab).get_by_role("img", name="_bpf.plot.timeline()")
    picture.wait_for()
    lab.page.wait_for_function("image => image.naturalWidth > 1000", arg=picture.element_handle())
    expect(view(lab).locator(".lab-plot code")).to_have_text("_bpf.plot.timeline()")
    picture.scroll_into_view_if_needed()
    pictured(lab, "plot")


def test_it_stays_readable_in_the_dark(lab: Lab) -> None:
    lab.theme("JupyterLab Dark")
    pictured(lab, "dark")
    lab.theme("JupyterLab Light")


def test_the_check_of_a_machine_hears_a_cell_with_a_view(lab: Lab) -> None:
    """As it runs the lessons in a machine that Lima made."""
    check = runpy.run_path(str(ROOT / "lima/check.py"))
    with check["Kernel"](lab.address) as kernel:
        kernel.run("%load_ext ebpf_lab")
        kernel.run(CELL.replace("FOLDER", str(lab.folder / "check"), 1).replace(str(READS), "23"))
        assert kernel.run("print(len(_bpf.frame))") == "23"
        kernel.run(check["CELL"])
        lesson = ROOT / "notebooks/00_first_traces.ipynb"
        errors = check["expected"](lesson, kernel)
    assert check["lesson"](lesson, errors, lab.address) == f"{len(errors)} cells"


def test_what_is_shown_outlives_the_page_and_in_part_the_kernel(lab: Lab) -> None:
    expect(static(lab)).to_be_hidden()
    lab.save()
    lab.show("views.ipynb")
    expect(view(lab).get_by_role("status")).to_have_text(f"15 of {READS:,} rows match")
    expect(view(lab).get_by_role("img")).to_be_visible()
    expect(static(lab)).to_be_hidden()

    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    lab.page.reload()
    expect(static(lab)).to_be_visible(timeout=30_000)
    assert f"10 of {READS:,} rows" in static(lab).inner_text()
    # A front end takes two seconds to find out that there is no such widget any more.
    lost = output(lab).get_by_text("model not found")
    lost.wait_for(state="attached", timeout=30_000)
    assert not lost.is_visible()
    pictured(lab, "without-kernel")
