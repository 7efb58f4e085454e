"""Names out of a file reach C in comments only, and as nothing but a name."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.c.build import model_files
from deploy.c.host import host_program
from deploy.c.project import project
from deploy.device.c_text import NAME_LENGTH, plain_name
from deploy.emulation.host import HostCompiler
from deploy.emulation.processes import run_generated
from deploy.fuzz.random_net import random_net
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from deploy.tflite import reader, writer
from hwmodels.graph import Graph, Tensor
from ppgnas.errors import ToolError
from search_spaces.lower import lower
from search_spaces.space import SearchSpace

HOSTILE = (
    '*/ { system("touch owned"); } /*',
    "*/ int x; //",
    "a \\",
    "??/",
    "??/\n*/ int x; /*",
    "one\nint two;",
    "cr\rint two;",
    '"; int quoted; "\'',
    "\x00\x01\x1b[31m\x7f\u2028\u202e",
    "Ünïcödé 心拍",
    "/" * 200,
    "`id` $(id) | <script>",
)


def named(net: QuantizedNet, text: str) -> QuantizedNet:
    """The network with `text` in every name of a tensor and of a layer."""
    new = {t.name: f"{text}{i}" for i, t in enumerate(net.graph.tensors)}
    layers = tuple(
        replace(
            layer,
            name=f"{text}{i}",
            inputs=tuple(new[name] for name in layer.inputs),
            output=new[layer.output],
        )
        for i, layer in enumerate(net.graph.layers)
    )
    of = {old.name: after.name for old, after in zip(net.graph.layers, layers, strict=True)}
    graph = Graph(
        layers,
        tuple(Tensor(new[t.name], t.shape) for t in net.graph.tensors),
        new[net.graph.input],
        new[net.graph.output],
    )
    return QuantizedNet(
        graph,
        {new[name]: pair for name, pair in net.activations.items()},
        {of[k]: v for k, v in net.weights.items()},
        {of[k]: v for k, v in net.biases.items()},
        {of[k]: v for k, v in net.weight_scales.items()},
    )


def tokens(text: str) -> list[str]:
    """Words of C outside comments, in the order of the standard: trigraphs, lines, comments."""
    text = text.replace("??/", "\\").replace("\\\n", "")
    kept = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    return kept.split()


@pytest.fixture(scope="module")
def net() -> QuantizedNet:
    return random_net(lower(SearchSpace.preset("tiny").sample(random.Random(5))), 5)


def texts_of(net: QuantizedNet, title: str) -> dict[str, str]:
    window = np.zeros(net.graph.shape(net.graph.input)[1:], np.int8)
    return dict(project(net, window, title=title).texts)


@pytest.mark.parametrize("text", HOSTILE)
def test_only_comments_change(text: str, net: QuantizedNet) -> None:
    harmless, found = texts_of(net, "a network"), texts_of(named(net, text), f"a {text}")
    for name in set(found) - {"README.md"}:
        assert tokens(found[name]) == tokens(harmless[name]), name
        assert found[name].isascii()
    # In Markdown: the title, and the second column of the table of steps.
    readme = found["README.md"].splitlines()
    assert len(readme) == len(harmless["README.md"].splitlines())
    assert re.fullmatch(r"#[A-Za-z0-9_./ -]*", readme[0])
    for line in readme:
        if re.match(r"\| \d+ \|", line):
            assert re.fullmatch(r"[A-Za-z0-9_./, -]*", line.split("|")[2])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_file_with_such_names(text: str, net: QuantizedNet, tmp_path: Path) -> None:
    again = reader.read(writer.write(named(net, text))).net()
    source = model_files(again, tmp_path).source.read_text(encoding="utf-8")
    model_files(net, tmp_path)
    assert tokens(source) == tokens((tmp_path / "model.c").read_text(encoding="utf-8"))


def test_it_still_computes(net: QuantizedNet, tmp_path: Path, host: HostCompiler) -> None:
    hostile = named(net, HOSTILE[0])
    x = np.zeros((1, *net.graph.shape(net.graph.input)[1:]), np.int8)
    made = host_program([model_files(hostile, tmp_path)], tmp_path, host, sanitize=False)
    np.testing.assert_array_equal(made.run(0, hostile, x), reference.run(net, x, rule="c"))


def test_plain_names() -> None:
    assert plain_name("stage1.block0/conv-2d_x") == "stage1.block0/conv-2d_x"
    assert plain_name("a */ b") == "a__/_b"
    assert len(plain_name("x" * 1000)) == NAME_LENGTH


def build(text: str, folder: Path, host: HostCompiler) -> Path:
    (folder / "p.c").write_text(text)
    return host.build_program([folder / "p.c"], folder / "p", sanitize=False)


def test_generated_programs_see_no_environment_and_end(
    tmp_path: Path, host: HostCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "1")
    text = '#include <stdlib.h>\nint main(void) { return getenv("SECRET") != NULL; }\n'
    run_generated([build(text, tmp_path, host)], "asking")
    text = (
        "#include <stdlib.h>\nvoid *volatile p;\n"
        "int main(void) { p = malloc((size_t)3 << 30); return p == NULL; }\n"
    )
    with pytest.raises(ToolError, match="asking failed"):
        run_generated([build(text, tmp_path, host)], "asking")
    text = "int main(void) { for (volatile int i = 0;;) { i = i ^ 1; } }\n"
    with pytest.raises(ToolError, match=r"asking( failed|: not done)"):
        run_generated([build(text, tmp_path, host)], "asking", timeout_s=1)
