"""The planner against a brute-force oracle and against plans made on paper."""

from hypothesis import given
from hypothesis import strategies as st

from hwmodels.arena import Buffer, Plan, aligned, buffers_of, highest_end, plan
from tests.hwmodels.small import small_graph

TIMES = 8


@st.composite
def buffer_lists(draw: st.DrawFn) -> tuple[Buffer, ...]:
    count = draw(st.integers(1, 12))
    buffers = []
    for index in range(count):
        first = draw(st.integers(0, TIMES - 1))
        last = draw(st.integers(first, TIMES - 1))
        buffers.append(Buffer(f"b{index}", draw(st.integers(1, 200)), first, last))
    return tuple(buffers)


def live_together(a: Buffer, b: Buffer) -> bool:
    return bool(set(range(a.first, a.last + 1)) & set(range(b.first, b.last + 1)))


def oracle_offsets(buffers: tuple[Buffer, ...]) -> list[int]:
    """Greedy by size by trying every multiple of 16: the lowest offset without a collision."""
    bytes_at: list[list[bool]] = [[False] * 4096 for _ in range(TIMES)]
    offsets = [-1] * len(buffers)
    order = sorted(range(len(buffers)), key=lambda i: (-aligned(buffers[i].bytes), -i))
    for index in order:
        buffer, size = buffers[index], aligned(buffers[index].bytes)
        times = range(buffer.first, buffer.last + 1)
        offset = 0
        while any(any(bytes_at[t][offset : offset + size]) for t in times):
            offset += 16
        for t in times:
            bytes_at[t][offset : offset + size] = [True] * size
        offsets[index] = offset
    return offsets


@given(buffer_lists())
def test_placement_equals_the_oracle(buffers: tuple[Buffer, ...]) -> None:
    assert list(plan(buffers, TIMES).offsets) == oracle_offsets(buffers)


@given(buffer_lists())
def test_live_buffers_never_share_bytes(buffers: tuple[Buffer, ...]) -> None:
    placed = plan(buffers, TIMES)
    for i, a in enumerate(buffers):
        for j, b in enumerate(buffers[:i]):
            if live_together(a, b):
                start, other = placed.offsets[i], placed.offsets[j]
                assert start + a.bytes <= other or other + b.bytes <= start


@given(buffer_lists(), st.lists(st.integers(0, 9), min_size=TIMES - 1, max_size=TIMES - 1))
def test_the_end_alone_is_that_of_the_plan(buffers: tuple[Buffer, ...], rooms: list[int]) -> None:
    rooms = [16 * room for room in rooms]
    beside = [Buffer("r", room, time, time) for time, room in enumerate(rooms, start=1) if room]
    buffers = tuple(sorted(buffers, key=lambda buffer: (buffer.first, buffer.last)))
    tensors = [(aligned(buffer.bytes), buffer.first, buffer.last) for buffer in buffers]
    end, _ = highest_end(tensors, rooms)
    assert end == plan((*buffers, *beside), TIMES).arena_bytes


@given(buffer_lists())
def test_arena_holds_the_live_bytes_of_every_time(buffers: tuple[Buffer, ...]) -> None:
    placed = plan(buffers, TIMES)
    for time in range(TIMES):
        live = sum(b.bytes for b in buffers if b.first <= time <= b.last)
        assert placed.live_bytes[time] == live
        assert live <= placed.arena_bytes
    assert placed.arena_bytes <= sum(aligned(b.bytes) for b in buffers)


def test_peak_time_touches_the_top_of_the_arena() -> None:
    """Two buffers of 32 meet at time 1; the third fits below while only one lives."""
    buffers = (Buffer("a", 32, 0, 1), Buffer("b", 32, 1, 2), Buffer("c", 16, 2, 2))
    assert plan(buffers, 3) == Plan(
        buffers, offsets=(32, 0, 32), arena_bytes=64, peak_time=1, live_bytes=(32, 64, 48)
    )


def test_lifetimes_of_a_residual_network() -> None:
    """`s` is written at time 2 and last read by the add at time 6."""
    buffers = {b.name: b for b in buffers_of(small_graph(), [0, 96, 0, 48, 0, 0, 32, 0])}
    assert buffers["x"] == Buffer("x", 64, 0, 1)
    assert buffers["s"] == Buffer("s", 128, 2, 6)
    assert buffers["p1"] == Buffer("p1", 144, 3, 4)
    assert buffers["y"] == Buffer("y", 180, 8, 8)
    assert buffers["stem/scratch"] == Buffer("stem/scratch", 96, 2, 2)
    assert buffers["pool/scratch"] == Buffer("pool/scratch", 32, 7, 7)
    assert "pad0/scratch" not in buffers


def test_plan_of_a_residual_network_on_paper() -> None:
    """Largest first: y (192) at 0, p1 (144) at 0; then of the 128s the last one first: a at 0,
    j over a, d over j, s over d up to 512. At most 448 bytes live at once (time 4: s 128 + p1 144
    + d 128 + scratch 48), so greed wastes 64."""
    scratch = [0, 96, 0, 48, 0, 0, 32, 0]
    placed = plan(buffers_of(small_graph(), scratch), 9)
    offsets = {b.name: offset for b, offset in zip(placed.buffers, placed.offsets, strict=True)}
    assert {name: offsets[name] for name in ("y", "p1", "a", "j", "d", "s")} == {
        "y": 0, "p1": 0, "a": 0, "j": 128, "d": 256, "s": 384,
    }  # fmt: skip
    assert placed.live_bytes[4] == max(placed.live_bytes) == 448
    assert placed.arena_bytes == 512
    assert placed.peak_time == 4
