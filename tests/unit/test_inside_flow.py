"""Basic blocks and their drawing: known programs, and whatever a program may look like."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from support.bytecode import instruction

from ebpf_lab.inside import bytecode
from ebpf_lab.inside.flow import BasicBlock, Kind, basic_blocks
from ebpf_lab.inside.layout import Drawing, arrange

EXIT = instruction(0x95)
MOVE = instruction(0xB7)
WIDE = instruction(0x18) + instruction(0)


def goto(offset: int) -> bytes:
    return instruction(0x05, offset=offset)


def if_zero(offset: int) -> bytes:
    return instruction(0x15, 1, offset=offset)


def blocks(*code: bytes) -> tuple[BasicBlock, ...]:
    return basic_blocks(list(bytecode.decode(b"".join(code))))


def shape(found: tuple[BasicBlock, ...]) -> list[tuple[list[int], list[tuple[int, str]]]]:
    return [
        ([each.number for each in block.instructions], [(edge.to, str(edge.kind)) for edge in block.edges])
        for block in found
    ]


class TestBlocks:
    def test_a_straight_program_is_one(self) -> None:
        assert shape(blocks(MOVE, WIDE, EXIT)) == [([0, 1, 3], [])]
        assert blocks() == ()

    def test_a_branch_and_where_its_ways_meet(self) -> None:
        found = blocks(MOVE, if_zero(2), WIDE, MOVE, EXIT)
        assert shape(found) == [
            ([0, 1], [(2, "yes"), (1, "no")]),
            ([2], [(2, "next")]),
            ([4, 5], []),
        ]

    def test_a_loop(self) -> None:
        found = blocks(MOVE, if_zero(2), MOVE, goto(-3), EXIT)
        assert shape(found) == [
            ([0], [(1, "next")]),
            ([1], [(3, "yes"), (2, "no")]),
            ([2, 3], [(1, "goto")]),
            ([4], []),
        ]

    def test_a_jump_to_the_next_instruction_has_both_ways(self) -> None:
        assert shape(blocks(if_zero(0), EXIT)) == [([0], [(1, "yes"), (1, "no")]), ([1], [])]

    def test_jumps_that_lead_far_or_may_be_refused(self) -> None:
        far, may = instruction(0x06, value=1), instruction(0xE5, offset=1)
        assert shape(blocks(far, MOVE, EXIT)) == [([0], [(2, "goto")]), ([1], [(2, "next")]), ([2], [])]
        assert shape(blocks(may, MOVE, EXIT))[0] == ([0], [(2, "yes"), (1, "no")])

    def test_calls_come_back_but_for_tail_calls(self) -> None:
        call, tail_call = instruction(0x85, source=1, value=1), instruction(0x85, value=bytecode.TAIL_CALL)
        assert [block.leaves for block in blocks(call, EXIT)] == [False]
        assert [block.leaves for block in blocks(if_zero(1), tail_call, EXIT)] == [False, True, False]

    def test_jumps_out_of_the_function_have_no_edge(self) -> None:
        assert shape(blocks(goto(7), EXIT)) == [([0], []), ([1], [])]
        assert shape(blocks(instruction(0x0D), EXIT)) == [([0], []), ([1], [])]
        assert shape(blocks(goto(1), WIDE, EXIT)) == [([0], []), ([1, 3], [])]  # into the middle of one


@st.composite
def programs(draw: st.DrawFn) -> list[bytes]:
    """Any instructions whose jumps stay within the program and hit instructions, as the verifier asks."""
    kind = st.sampled_from(["move", "wide", "exit", "goto", "if", "call"])
    kinds = draw(st.lists(kind, min_size=1, max_size=40))
    starts = [0, *itertools.accumulate(2 if kind == "wide" else 1 for kind in kinds)][:-1]
    made = []
    for kind, start in zip([*kinds], starts, strict=True):
        to = draw(st.sampled_from(starts))
        plain = {"move": MOVE, "wide": WIDE, "exit": EXIT, "call": instruction(0x85, value=5)}
        jump = goto if kind == "goto" else if_zero
        made.append(plain[kind] if kind in plain else jump(to - start - 1))
    return [*made, EXIT]


@given(programs())
def test_every_instruction_is_in_one_block_and_every_jump_is_an_edge(code: list[bytes]) -> None:
    instructions = list(bytecode.decode(b"".join(code)))
    found = basic_blocks(instructions)
    assert [each for block in found for each in block.instructions] == instructions
    entered = {block.instructions[0].number: number for number, block in enumerate(found)}
    for number, block in enumerate(found):
        *inner, last = block.instructions
        assert not any(each.is_jump or each.ends for each in inner)
        assert not any(each.target in entered and each.is_jump for each in inner)
        ways = {(edge.to, edge.kind) for edge in block.edges}
        assert len(ways) == len(block.edges)
        if last.is_jump:
            assert (entered[last.target], Kind.YES if last.is_conditional else Kind.GOTO) in ways
        onward = {to for to, kind in ways if kind in (Kind.NO, Kind.NEXT)}
        goes_on = not last.ends and (last.is_conditional or not last.is_jump)
        assert onward == ({number + 1} if goes_on else set())


def touching(drawing: Drawing) -> list[tuple[int, int]]:
    found = []
    for (one, a), (other, b) in itertools.combinations(enumerate(drawing.boxes), 2):
        if a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height:
            found.append((one, other))
    return found


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[tuple[int, int]]]:
    size = st.tuples(st.integers(20, 400).map(float), st.integers(15, 300).map(float))
    sizes = draw(st.lists(size, min_size=1, max_size=25))
    node = st.integers(0, len(sizes) - 1)
    return sizes, draw(st.lists(st.tuples(node, node), max_size=50))


@given(graphs())
def test_no_boxes_overlap_and_ways_begin_and_end_at_theirs(
    graph: tuple[list[tuple[float, float]], list[tuple[int, int]]],
) -> None:
    sizes, edges = graph
    drawing = arrange(sizes, edges)
    assert not touching(drawing)
    assert [(box.width, box.height) for box in drawing.boxes] == sizes
    for box in drawing.boxes:
        assert box.x >= -1e-6
        assert box.y >= 0
        assert box.x + box.width <= drawing.width + 1e-6
        assert box.y + box.height <= drawing.height + 1e-6
    for (origin, target), way, back in zip(edges, drawing.ways, drawing.back, strict=True):
        begin, end = drawing.boxes[origin], drawing.boxes[target]
        assert way[0][1] == begin.y + begin.height
        assert begin.x <= way[0][0] <= begin.x + begin.width
        assert way[-1][1] == end.y
        assert end.x <= way[-1][0] <= end.x + end.width
        assert back == (begin.y >= end.y)
        # Level or upright, nothing else; it arrives from above.
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(way))
        assert way[-2][1] < way[-1][1]
        assert all(-1e-6 <= x <= drawing.width + 1e-6 and 0 <= y <= drawing.height for x, y in way)


@given(graphs())
def test_no_way_runs_through_a_box(graph: tuple[list[tuple[float, float]], list[tuple[int, int]]]) -> None:
    drawing = arrange(*graph)
    for way in drawing.ways:
        for (x, y), (to, down) in itertools.pairwise(way):
            for box in drawing.boxes:
                across = max(min(x, to), box.x) < min(max(x, to), box.x + box.width) or (
                    x == to and box.x < x < box.x + box.width
                )
                along = max(min(y, down), box.y) < min(max(y, down), box.y + box.height) or (
                    y == down and box.y < y < box.y + box.height
                )
                assert not (across and along)


def test_a_loop_leads_up_beside_its_body() -> None:
    drawing = arrange([(100.0, 40.0)] * 4, [(0, 1), (1, 3), (1, 2), (2, 1)])
    assert drawing.back == [False, False, False, True]
    top, body = drawing.boxes[1], drawing.boxes[2]
    assert drawing.ways[3][0][1] == body.y + body.height
    assert drawing.ways[3][-1][1] == top.y


def test_many_ways_to_one_exit_share_their_line() -> None:
    ladder = [(number, number + 1) for number in range(19)] + [(number, 20) for number in range(20)]
    drawing = arrange([(120.0, 50.0)] * 21, ladder)
    assert drawing.width < 3 * 120
    assert not touching(drawing)


def test_nothing_is_drawn_of_nothing() -> None:
    assert arrange([], []).boxes == []
