"""Tab and Shift-Tab in JupyterLab, in a cell typed by hand, with the kernel "eBPF Lab"."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from support.jupyter_page import Lab, serving
from support.machine import ROOT

from ebpf_lab.notebook import kernels

HEAD = """%%bpf
SEC("tp_btf/sched_process_exec")
int BPF_PROG(started, struct task_struct *task)
{
u32 pid = """
OFFERED = ".jp-Completer .jp-Completer-item"
TOOLTIP = ".jp-Tooltip"

pytestmark = pytest.mark.needs("btf", "tracepoint")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("help")
    kernels.install(folder, None)
    shutil.copytree(ROOT / "ebpf_lab/labextension", folder / "share/jupyter/labextensions/ebpf-lab")
    with serving(folder, {"JUPYTER_PATH": str(folder / "share/jupyter")}) as served:
        yield served


@pytest.fixture(scope="module")
def page(lab: Lab) -> Page:
    lab.open("typed.ipynb", [""], kernels.LOCAL)
    _type(lab, HEAD)
    lab.page.locator(".cm-line span", has_text="u32").wait_for()
    return lab.page


def _type(lab: Lab, text: str) -> None:
    lab.page.locator(".jp-CodeCell .cm-content").first.click()
    lab.page.keyboard.insert_text(text)


def _shot(page: Page, name: str) -> None:
    """Keep a picture, where EBPF_LAB_SHOTS names a folder to look at it in."""
    folder = os.environ.get("EBPF_LAB_SHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_tab_completes_a_helper_typed_by_hand(page: Page) -> None:
    page.keyboard.type("bpf_get_cur")
    page.keyboard.press("Tab")
    page.locator(OFFERED).first.wait_for()
    offered = page.locator(OFFERED).all_inner_texts()
    _shot(page, "helpers")
    assert [text.split()[1] for text in offered] == [
        "bpf_get_current_ancestor_cgroup_id",
        "bpf_get_current_cgroup_id",
        "bpf_get_current_comm",
        "bpf_get_current_pid_tgid",
        "bpf_get_current_task",
        "bpf_get_current_task_btf",
        "bpf_get_current_uid_gid",
    ]
    page.keyboard.type("rent_pid")
    page.keyboard.press("Enter")
    assert (
        page.locator(".cm-line", has_text="u32 pid").inner_text().strip()
        == "u32 pid = bpf_get_current_pid_tgid"
    )


def test_shift_tab_explains_it(page: Page) -> None:
    page.keyboard.press("Shift+Tab")
    page.locator(TOOLTIP).wait_for()
    shown = page.locator(TOOLTIP).inner_text()
    assert "__u64 bpf_get_current_pid_tgid(void)" in shown
    assert "Linux 4.2" in shown
    _shot(page, "tooltip")
    page.keyboard.press("Escape")
    page.locator(TOOLTIP).wait_for(state="detached")


def test_tab_offers_the_members_of_the_kernel_s_struct(page: Page) -> None:
    page.locator(".cm-line", has_text="u32 pid").click()
    page.keyboard.press("End")
    page.keyboard.type("() >> task->mm->start_")
    page.keyboard.press("Tab")
    page.locator(OFFERED, has_text="start_brk").wait_for()
    _shot(page, "members")
    page.keyboard.press("Escape")


def test_tab_completes_before_the_language_c_has_come(lab: Lab) -> None:
    page = lab.open("early.ipynb", [""], kernels.LOCAL)
    held: list[Route] = []
    page.route("**/*.js*", lambda route: held.append(route))
    _type(lab, HEAD)
    page.keyboard.type("bpf_get_current_pid")
    page.keyboard.press("Tab")
    expect(page.locator(OFFERED)).to_have_text([re.compile("bpf_get_current_pid_tgid")])
    page.keyboard.press("Enter")
    typed = page.locator(".cm-line", has_text="u32 pid")
    expect(typed).to_have_text("u32 pid = bpf_get_current_pid_tgid")
    assert held
    expect(typed.locator("span")).to_have_count(0)
    page.unroute("**/*.js*")  # which lets go of what was held
    expect(typed.locator("span", has_text="u32")).to_be_visible()
