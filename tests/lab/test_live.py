"""The live view in JupyterLab: it stops, keeps up, comes back, and turns red."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import targets
from support.jupyter_page import SECONDS, Lab, serving
from support.machine import ROOT
from support.targets import SEEK_MARK

pytestmark = pytest.mark.needs("tracepoint", "ringbuf", "libbpf", "clang", "btf")

EVENTS = f"""
struct event {{ u64 ts; u64 offset; u32 pid; char comm[16]; }};
struct {{ __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 1 << 25); }} events SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int seeks(struct trace_event_raw_sys_enter *ctx)
{{
    if (ctx->args[2] != {SEEK_MARK})
        return 0;
    struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e)
        return 0;
    e->ts = bpf_ktime_get_ns();
    e->offset = ctx->args[1];
    e->pid = bpf_get_current_pid_tgid() >> 32;
    bpf_get_current_comm(e->comm, sizeof(e->comm));
    bpf_ringbuf_submit(e, 0);
    return 0;
}}
"""
REJECTED = """
SEC("tracepoint/syscalls/sys_enter_lseek")
int loops(void *ctx)
{
    for (volatile int i = 0; i >= 0; i++)
        ;
    return 0;
}
"""
COUNTS = f"""
struct {{ __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2);
         __type(key, u32); __type(value, u64); }} counts SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_lseek")
int count(struct trace_event_raw_sys_enter *ctx)
{{
    u32 zero = 0;
    u64 *number = bpf_map_lookup_elem(&counts, &zero);
    if (number && ctx->args[2] == {SEEK_MARK})
        *number += 1;
    return 0;
}}
"""
RATE, LONG_MS = 100_000, 3_000
SHOTS = ROOT / "build/screenshots"
STOPPED_AFTER = """() => new Promise(done => {
    const view = document.querySelector(".ebpf-live");
    const begin = performance.now();
    new MutationObserver(() => view.dataset.phase === "ended" && done(performance.now() - begin))
        .observe(view, { attributes: true });
    view.querySelector("button.stop").click();
})"""
# The longest time in which the page drew nothing, and how often the view changed, over two seconds.
WATCHED = """() => new Promise(done => {
    const begin = performance.now();
    let last = begin, longest = 0, updates = 0;
    new MutationObserver(() => updates++)
        .observe(document.querySelector(".ebpf-live .came"), { childList: true, subtree: true });
    const frame = now => {
        longest = Math.max(longest, now - last);
        last = now;
        if (now - begin < 2000) requestAnimationFrame(frame);
        else done([longest, updates / 2]);
    };
    requestAnimationFrame(frame);
})"""


@pytest.fixture(scope="module")
def pace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return targets.build("pace", tmp_path_factory.mktemp("pace"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, seek: Path, pace: Path) -> Iterator[Lab]:
    SHOTS.mkdir(parents=True, exist_ok=True)
    with serving(tmp_path_factory.mktemp("live")) as served:
        served.open(
            "live.ipynb",
            [
                "%load_ext ebpf_lab",
                f"%%bpf --live -o stopped -- sh -c '{seek} 23; exec sleep 1000'{EVENTS}",
                "print('stopped', len(stopped))",
                f"%%bpf --live -o flood -- sh -c '{pace} {RATE} {LONG_MS} && exec sleep 1000'{EVENTS}",
                "print('flood', len(flood), flood.offset.is_unique)",
                f"%%bpf --bg --live{REJECTED}",
                f"%%bpf --bg -o counted{COUNTS}",
                "%bpf maps",
                f"!{seek} 23",
                "%bpf stop counted",
            ],
        )
        served.run(0)
        yield served


def view(lab: Lab, phase: str) -> None:
    lab.page.wait_for_selector(f".ebpf-live[data-phase={phase}]", timeout=SECONDS * 1000)


def output(lab: Lab, cell: int, words: str) -> str:
    """What a cell printed, once it has these words."""
    found = lab.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output", has_text=words)
    found.first.wait_for(timeout=SECONDS * 1000)
    return found.first.inner_text()


def clear(lab: Lab, cell: int) -> None:
    """Leave one view on the page."""
    lab.command("notebook:clear-cell-output", cell)
    lab.page.wait_for_selector(".ebpf-live", state="detached", timeout=SECONDS * 1000)


def test_stop_ends_a_blocking_cell(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.run(1)
    lab.page.locator(".ebpf-live .came", has_text="23 events").wait_for(timeout=SECONDS * 1000)
    assert lab.page.locator(".ebpf-live").get_attribute("data-phase") == "running"
    milliseconds = lab.page.evaluate(STOPPED_AFTER)
    with capsys.disabled():
        print(f"\nStop ended the trace after {milliseconds:.0f} ms")
    lab.run(2)
    assert "stopped 23" in output(lab, 2, "stopped")
    assert "23 events · " in lab.page.locator(".ebpf-live .header").inner_text()


def test_what_came_is_there_when_the_page_comes_again(lab: Lab) -> None:
    lab.save()
    lab.page.reload()
    lab.ready()
    view(lab, "ended")
    assert lab.page.locator(".ebpf-live table.rows tbody tr").count() == 23
    saved = json.loads((lab.folder / "live.ipynb").read_text())
    shown = saved["cells"][1]["outputs"][0]["data"]
    assert "".join(shown["text/plain"]).startswith("23 events · ")
    assert "23 events · " in "".join(shown["text/html"])
    clear(lab, 1)


def test_the_page_answers_under_a_flood_and_the_frame_has_all(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.run(3)
    view(lab, "running")
    longest, updates = lab.page.evaluate(WATCHED)
    lab.page.locator(".ebpf-live input.filter").fill("comm=pace")
    lab.page.locator(".ebpf-live").screenshot(path=SHOTS / "live-flood-light.png")
    with capsys.disabled():
        print(f"\n{updates:.1f} updates a second; the page drew nothing for {longest:.0f} ms at most")
    assert updates > 1
    assert longest < 2000
    came = f"{RATE * LONG_MS // 1000:,} events"
    lab.page.locator(".ebpf-live .came", has_text=came).wait_for(timeout=SECONDS * 1000)
    assert lab.page.locator(".ebpf-live .lost").inner_text() == "0 lost"
    assert "a sample: " in lab.page.locator(".ebpf-live .sample").inner_text()
    lab.page.evaluate(STOPPED_AFTER)
    lab.run(4)
    assert f"flood {RATE * LONG_MS // 1000} True" in output(lab, 4, "flood")
    clear(lab, 3)


def test_a_trace_that_fails_is_red_and_says_why(lab: Lab) -> None:
    lab.theme("JupyterLab Dark")
    lab.run(5)
    view(lab, "failed")
    error = lab.page.locator(".ebpf-live .error")
    assert error.inner_text().startswith("VerifierRejected: loops")
    red, plain = (
        error.locator(each).evaluate("node => getComputedStyle(node).color") for each in ("summary", "pre")
    )
    assert red != plain
    lab.page.locator(".ebpf-live").screenshot(path=SHOTS / "live-failed-dark.png")


def test_a_map_s_value_is_edited_and_counted_on_from(lab: Lab) -> None:
    clear(lab, 5)
    for cell in (6, 7):
        lab.run(cell)
    view(lab, "running")
    inspector = lab.page.locator(".ebpf-maps")
    value = inspector.locator("tbody tr").first.locator("td").nth(1)
    value.filter(has_text="0").wait_for(timeout=SECONDS * 1000)
    for typed, said in (("-1", "does not fit"), ("1000", "counts: value is set to 1000")):
        value.dblclick()
        lab.page.keyboard.type(typed)
        lab.page.keyboard.press("Enter")
        inspector.locator(".said", has_text=said).wait_for(timeout=SECONDS * 1000)
    lab.run(8)
    value.filter(has_text="1023").wait_for(timeout=SECONDS * 1000)
    assert value.get_attribute("data-changed")
    inspector.screenshot(path=SHOTS / "maps-dark.png")
    lab.run(9)
    view(lab, "ended")
    assert value.inner_text() == "1023"
