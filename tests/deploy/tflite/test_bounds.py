"""A file that leads out of itself is refused before anybody follows it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from deploy.tflite import bounds, runtime
from deploy.tflite.bounds import check_bounds
from deploy.tflite.reader import read
from ppgnas.errors import ExportError, GraphError
from tests.deploy.tflite.test_reader import operators, packed, unpacked

FILES = Path(__file__).parent / "files"
SMALL = (FILES / "heart_int8.tflite").read_bytes()


@pytest.mark.parametrize("file", sorted(FILES.glob("*.tflite")), ids=lambda file: file.stem)
def test_what_converters_write_lies_in_the_file(file: Path) -> None:
    check_bounds(file.read_bytes())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_file_that_was_cut_is_refused(share: float) -> None:
    content = SMALL[: int(share * len(SMALL))]
    with pytest.raises(ValueError, match=r"byte|entries"):
        check_bounds(content)


def test_offsets_and_lengths_that_lead_out_are_refused() -> None:
    """Whatever word of the file is made huge: it is refused, or was no offset and no length."""
    where = runtime.schema().Model.GetRootAs(SMALL, 0)
    tables = [where._tab, where.Subgraphs(0)._tab, where.Subgraphs(0).Tensors(0)._tab]
    for table in tables:
        for field in (4, 6, 8, 10, 12):
            if not (offset := table.Offset(field)):
                continue
            content = bytearray(SMALL)
            at = table.Pos + offset
            if table is tables[2] and field in (6, 8):
                continue  # numbers
            if table is tables[0] and field == 4:
                continue
            struct.pack_into("<I", content, at, 0x7FFFFFF0)
            with pytest.raises(ValueError, match="an offset to byte 21474"):
                check_bounds(bytes(content))
            with pytest.raises(GraphError, match="is damaged or cut short"):
                read(bytes(content), name="a.tflite")


def test_what_parts_share_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 entries that are one subgraph, whose 5,000 entries are one tensor: three tables."""
    count, model, graphs = 5000, 40, 48
    graph = graphs + 4 + 4 * count
    tensors = graph + 8
    tensor = tensors + 4 + 4 * count
    content = bytearray(tensor + 4)
    struct.pack_into("<I", content, 0, model)
    struct.pack_into("<HH", content, 4, 4, 4)  # a table without fields
    struct.pack_into("<HHH", content, 8, 6, 8, 4)  # one with the first field at its byte 4
    struct.pack_into("<HHHHH", content, 16, 10, 8, 0, 0, 4)  # one with the third there
    struct.pack_into("<iI", content, model, model - 16, graphs - model - 4)
    struct.pack_into("<iI", content, graph, graph - 8, tensors - graph - 4)
    struct.pack_into("<i", content, tensor, tensor - 4)
    for first, to in ((graphs, graph), (tensors, tensor)):
        places = range(first + 4, first + 4 + 4 * count, 4)
        struct.pack_into(f"<{count + 1}I", content, first, count, *(to - at for at in places))
    looked = []
    fields = bounds._Walk._fields

    def counted(walk: bounds._Walk, at: int) -> dict[int, int]:
        looked.append(at)
        return fields(walk, at)

    monkeypatch.setattr(bounds._Walk, "_fields", counted)
    check_bounds(bytes(content))
    assert looked == [model, graph, tensor]


@pytest.mark.parametrize("fault", ["shape", "name"])
def test_what_the_interpreter_notices_late_is_a_message(fault: str) -> None:
    """A reshape that does not fit, when it runs; a name that is no text, when it is asked for."""
    model = unpacked(SMALL)
    graph = model.subgraphs[0]
    if fault == "name":
        graph.tensors[graph.inputs[0]].name = b"\xff\xfe"
    else:
        sizes = operators(model, "RESHAPE")[0].inputs[1]
        model.buffers[graph.tensors[sizes].buffer].data = np.array([1, 1, 1, 7], "<i4").view("u1")
    source = read(SMALL, name="a.tflite").graph
    x = np.zeros(source.shape(source.input), np.int8)
    with pytest.raises(ExportError, match="the TFLite runtime refuses the file"):
        runtime.run(packed(model), x)
