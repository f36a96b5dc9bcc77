"""Numbers of C lines in logs of kernels that print the lines alone."""

from __future__ import annotations

from ebpf_lab.diagnose.located import located
from ebpf_lab.diagnose.verifier import Place

LOG = """0: R1=ctx(off=0,imm=0) R10=fp0
; count += 1;
0: (b7) r0 = 0
; return 0;
1: (95) exit
; return 0;
4: (95) exit
; made by a header
5: (95) exit
"""
PLACES = [
    Place(0, 7, 5, "    count += 1;"),
    Place(1, 9, 5, "    return 0;"),
    Place(4, 23, 5, "    return 0;"),
    Place(-1, 31, 5, "    helped();"),
]


def test_each_line_gets_the_number_of_its_own_record() -> None:
    lines = located(LOG, PLACES, "cell.c").splitlines()
    assert [line for line in lines if line.startswith(";")] == [
        "; count += 1; @ cell.c:7",
        "; return 0; @ cell.c:9",
        "; return 0; @ cell.c:23",
        "; made by a header",
    ]
    assert [line for line in lines if not line.startswith(";")] == [
        line for line in LOG.splitlines() if not line.startswith(";")
    ]


def test_a_function_that_was_appended_is_known_by_its_text() -> None:
    log = "; helped();\n40: (95) exit\n"
    assert located(log, PLACES, "cell.c") == "; helped(); @ cell.c:31\n40: (95) exit\n"


def test_what_has_numbers_stays() -> None:
    log = "; count += 1; @ cell.c:3\n0: (95) exit\n"
    assert located(log, PLACES, "cell.c") == log
    assert located(LOG, [], "cell.c") == LOG
