"""What bcc compiles in place of a text, and the way back from it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebpf_lab.backends.bcc_text import BccText, numbered, prepare, type_number
from ebpf_lab.source.analyse import analyse
from ebpf_lab.source.spec import Dialect, ProgramSpec, Stream


def made(text: str, **options: dict[str, str]) -> BccText:
    return prepare(analyse(text, dialect="bcc", **options))


def own_lines(text: BccText) -> dict[int, str]:
    """The learner's lines in what bcc gets, by number."""
    return {number: bare for bare, number in map(numbered, text.text.split("\n")) if number}


def bare_spec(text: str, *rings: str) -> ProgramSpec:
    streams = tuple(Stream(ring, "ringbuf") for ring in rings)
    return ProgramSpec(text, Dialect.BCC, "", (), streams, ())


PROGRAM = "int kprobe__a(void *ctx) { return 0; }"


class TestNumbers:
    def test_each_line_has_its_number(self) -> None:
        text = made(f"{PROGRAM}\n\n// two  \n/* a\n b */")
        assert own_lines(text) == {1: PROGRAM, 2: "", 3: "// two", 4: "/* a", 5: " b */"}

    def test_a_continued_line_has_none(self) -> None:
        text = made(f"#define A 1 + \\\n  2\n#define B '\\\\'\n{PROGRAM}")
        assert own_lines(text) == {2: "  2", 3: "#define B '\\\\'", 4: PROGRAM}

    def test_a_carriage_return_is_no_part_of_a_line(self) -> None:
        text = made(f"#define A \\\r\n 2\r\n{PROGRAM}\r\n")
        assert own_lines(text) == {2: " 2", 3: PROGRAM, 4: ""}

    def test_a_backslash_at_the_end_takes_nothing_in(self) -> None:
        text = made(f"BPF_PERF_OUTPUT(perf);\n{PROGRAM}\n// end \\").text.split("\n")
        assert text[text.index("// end \\") + 1] == ""

    @given(st.text(alphabet=st.characters(exclude_characters="\x00", codec="utf-8")))
    def test_no_line_is_lost_or_changed(self, text: str) -> None:
        prepared = prepare(bare_spec(text, "events"))
        for number, line in own_lines(prepared).items():
            assert line.rstrip() == prepared.line(number).rstrip()
        lines = text.split("\n")
        continued = [line for line in lines if line.rstrip().endswith("\\")]
        assert len(own_lines(prepared)) == len(lines) - len(continued)


RINGS = """struct event { u32 pid; };
BPF_RINGBUF_OUTPUT(one, 8); BPF_RINGBUF_OUTPUT(two, 8);
int kprobe__a(void *ctx)
{
    struct event *a = one.ringbuf_reserve(sizeof(struct event)), *b; // two.ringbuf_reserve(
    if (!a) return 0; one.ringbuf_submit(a, 0); "one.ringbuf_reserve("; int x = one.ringbuf_output(a, (4), 0);
    b = two . ringbuf_reserve (
        sizeof(*b)); clone.ringbuf_reserve(1); other.one.ringbuf_reserve(2);
    return 0;
}
"""


class TestCounters:
    def test_calls_that_may_fail_are_counted_where_they_are(self) -> None:
        lines = own_lines(made(RINGS))
        reserve = "({ void *lab_result = %s; if (!lab_result) lab_count_lost(%d); lab_result; })"
        output = "({ long lab_result = %s; if (lab_result < 0) lab_count_lost(%d); lab_result; })"
        assert lines[5] == (
            "    struct event *a = "
            + reserve % ("one.ringbuf_reserve(sizeof(struct event))", 0)
            + ", *b; // two.ringbuf_reserve("
        )
        assert lines[6].endswith("int x = " + output % ("one.ringbuf_output(a, (4), 0)", 0) + ";")
        assert '"one.ringbuf_reserve("' in lines[6]
        opening, closing = (reserve % ("two . ringbuf_reserve (\n        sizeof(*b))", 1)).split("\n")
        assert lines[7] == f"    b = {opening}"
        assert lines[8] == f"{closing}; clone.ringbuf_reserve(1); other.one.ringbuf_reserve(2);"

    def test_the_counters_stand_before_the_text(self) -> None:
        prepared = made(RINGS)
        assert prepared.rings == ("one", "two")
        assert prepared.text.startswith("BPF_PERCPU_ARRAY(lab_lost, u64, 2);\n")

    @pytest.mark.parametrize("text", [PROGRAM, f"BPF_RINGBUF_OUTPUT(events, 8);\n{PROGRAM}"])
    def test_nothing_to_count_takes_no_map(self, text: str) -> None:
        prepared = made(text)
        assert prepared.rings == ()
        assert "lab_lost" not in prepared.text

    def test_the_verifier_is_asked_without_them(self) -> None:
        prepared = prepare(analyse(RINGS, dialect="bcc"), counted=False)
        assert prepared.rings == ()
        assert own_lines(prepared)[5] == RINGS.split("\n")[4]

    @given(
        st.lists(st.sampled_from(["one.ringbuf_reserve(", "(", ")", '"', "//", "/*", "*/", "\n", " ", "'"]))
    )
    def test_broken_brackets_do_no_harm(self, parts: list[str]) -> None:
        text = "".join(parts)
        prepared = prepare(bare_spec(text, "one"))
        rest = re.sub(
            r"\(\{ void \*lab_result = |; if \(!lab_result\) .*? lab_result; \}\)", "", prepared.text
        )
        assert [numbered(line)[0].strip() for line in text.split("\n")] == [
            numbered(line)[0].strip() for line in rest.split("\n") if numbered(line)[1]
        ]


class TestColumns:
    def test_before_within_and_behind_what_was_added(self) -> None:
        prepared = made(RINGS)
        learners = RINGS.split("\n")[4]
        quoted = own_lines(prepared)[5]
        for word in ("struct event *a", "one.", "sizeof", ", *b"):
            assert prepared.column(5, quoted, quoted.index(word) + 1) == learners.index(word) + 1
        added = quoted.index("lab_result =") + 1
        assert prepared.column(5, quoted, added) == learners.index("one.") + 1

    def test_clang_shows_tabs_as_spaces_but_counts_them_as_one(self) -> None:
        prepared = made(f"{PROGRAM}\n\t\tint\tx = y;")
        assert prepared.column(2, "                int     x = y;", 11) == 11

    def test_in_a_line_that_bcc_rewrote_the_word_is_looked_for(self) -> None:
        prepared = made(f"{PROGRAM}\nh.update(&key, &value); x = key;")
        quoted = "bpf_map_update_elem((void *)bpf_pseudo_fd(1, -1), &key, &value, BPF_ANY); x = key;"
        assert prepared.column(2, quoted, quoted.index("value") + 1) == 17
        assert prepared.column(2, quoted, quoted.index("key") + 1) == 0  # there are two
        assert prepared.column(2, quoted, quoted.index("BPF_ANY") + 1) == 0
        assert prepared.column(2, quoted, 999) == 0

    def test_beyond_the_text_there_is_none(self) -> None:
        prepared = made(PROGRAM)
        assert (prepared.column(0, "", 1), prepared.column(9, "", 1)) == (0, 0)
        assert (prepared.line(0), prepared.line(9)) == ("", "")

    def test_a_line_is_found_by_its_words_if_there_is_one_such(self) -> None:
        prepared = made(f"{PROGRAM}\n\tint x;\nint y;\nint y;")
        assert prepared.number_of("        int x;") == 2
        assert prepared.number_of("int y;") == 0
        assert prepared.number_of("int z;") == 0


class TestSettings:
    def test_definitions_in_the_text_take_the_value(self) -> None:
        text = (
            f"# define A 1 // one\n#define AB 2\n#define A(x) x\n#define A 3 \\\n + 4\nint b = A;\n{PROGRAM}"
        )
        prepared = made(text, settings={"A": "(5)"})
        assert prepared.flags == ("-DA=(5)",)
        lines = own_lines(prepared)
        assert lines[1] == "# define A (5)"
        assert (lines[2], lines[3]) == ("#define AB 2", "#define A(x) x")
        assert "#define A 3 \\" in prepared.text

    def test_columns_behind_the_value_are_those_of_the_text(self) -> None:
        prepared = made(f"#define A 1 // x\n{PROGRAM}", settings={"A": "12345"})
        assert prepared.column(1, "#define A 12345", 9) == 9


class TestNames:
    @pytest.mark.parametrize("probe", ["ksyscall:openat", "kprobe:sys_openat", "kprobe:__x64_sys_openat"])
    def test_bcc_knows_a_system_call_by_the_functions_name(self, probe: str) -> None:
        prepared = made("int mine(struct pt_regs *ctx, int dfd) { return 0; }", attach={"mine": probe})
        assert prepared.functions == {"mine": "syscall__mine"}
        assert "#define mine syscall__mine\n" in prepared.text

    @pytest.mark.parametrize("probe", ["kprobe:do_sys_openat2", "kretsyscall:openat", "uprobe:libc:sys_x"])
    def test_other_functions_keep_their_names(self, probe: str) -> None:
        assert made(PROGRAM.replace("kprobe__a", "mine"), attach={"mine": probe}).functions == {}

    def test_a_name_that_says_it_stays(self) -> None:
        assert made(PROGRAM.replace("kprobe__a", "syscall__openat")).functions == {}


class TestTypes:
    TEXT = """
typedef struct { u32 a; } plain_t;
BPF_PERF_OUTPUT(one); BPF_PERF_OUTPUT(two);
int kprobe__a(void *ctx)
{
    struct event e = {}; plain_t p = {}; struct event f = {};
    one.perf_submit(ctx, &e, sizeof(e)); two.perf_submit(ctx, &p, sizeof(p));
    two.perf_submit(ctx, &f, sizeof(f));
    return 0;
}
"""

    def test_each_type_once_as_c_has_it(self) -> None:
        prepared = made(self.TEXT)
        assert prepared.types == ("event", "plain_t")
        assert "struct lab_type_0 { typeof(struct event) value; }" in prepared.text
        assert "struct lab_type_1 { typeof(plain_t) value; }" in prepared.text

    def test_what_does_not_compile_can_be_left_out(self) -> None:
        spec = analyse(self.TEXT, dialect="bcc")
        text = prepare(spec, without={0}).text
        assert "lab_type_0" not in text
        assert "lab_type_1" in text

    def test_their_lines_are_told_apart_from_the_learners(self) -> None:
        (line,) = (line for line in made(self.TEXT).text.split("\n") if "lab_type_1" in line)
        assert type_number(line) == 1
        assert numbered(line)[1] == 0
        assert type_number("int a; //~4") is None

    def test_missing_definitions_come_first(self) -> None:
        text = prepare(analyse(self.TEXT, dialect="bcc"), before="struct new {};").text
        assert text.startswith("struct new {};\n")
