"""The generated C of front end and decoder, built for this machine and called through ctypes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from ctypes import CDLL
from pathlib import Path

import pytest

from deploy.device.c_text import CPart
from deploy.device.decoder import Decoder
from deploy.device.decoder_c import decoder_c
from deploy.device.front_end_c import front_end_c
from deploy.device.settings import FrontEnd
from deploy.emulation.host import HostCompiler
from ppg.npz.folder import read_folder
from ppg.recording import Recording
from tests.deploy.device.c_device import DecoderC, FrontEndC, standalone
from tests.deploy.device.pushing import RUN
from tests.deploy.shared import build_shared

SIZES = """
unsigned long device_sizeof_state(void);
unsigned long device_sizeof_state(void) { return sizeof(ppg_state_t); }
"""
SMOOTHER_SIZE = """
unsigned long device_sizeof_smoother(void);
unsigned long device_sizeof_smoother(void) { return sizeof(ppg_smoother_t); }
"""


Build = Callable[[Sequence[CPart], str], CDLL]


@pytest.fixture(scope="session")
def build(host: HostCompiler, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile parts to a library, each once, warnings being errors."""
    libraries: dict[tuple[str, str, str], CDLL] = {}

    def make(parts: Sequence[CPart], extra: str) -> CDLL:
        source, header = standalone(parts, header_name="device.h")
        made = (source, header, extra)
        if made in libraries:
            return libraries[made]
        folder = tmp_path_factory.mktemp("device")
        (folder / "device.h").write_text(header)
        (folder / "device.c").write_text(source)
        (folder / "sizes.c").write_text('#include "device.h"\n' + extra)
        out = build_shared(
            host,
            [folder / "device.c", folder / "sizes.c"],
            folder / "device.so",
            include=[folder],
        )
        return libraries.setdefault(made, CDLL(str(out)))

    return make


@pytest.fixture
def front_end(build: Build) -> Callable[..., FrontEndC]:
    """A front end in C from its settings and the scale and zero point of the input."""

    def make(settings: FrontEnd, *, scale: float = 0.0375, zero_point: int = -3) -> FrontEndC:
        part = front_end_c(settings, scale=scale, zero_point=zero_point)
        library = build([part], SIZES + RUN)
        assert library.device_sizeof_state() == part.state_bytes
        return FrontEndC(settings, library, part)

    return make


@pytest.fixture
def decoder(build: Build) -> Callable[[Decoder], DecoderC]:
    """A decoder in C."""

    def make(value: Decoder) -> DecoderC:
        part = decoder_c(value)
        library = build([part], SMOOTHER_SIZE)
        assert library.device_sizeof_smoother() == part.state_bytes
        return DecoderC(library, part)

    return make


@pytest.fixture(scope="session")
def real_recordings() -> Callable[[str], list[Recording]]:
    """Recordings of one data set of the folder named by PPGNAS_TEST_DATA."""

    def read(dataset: str) -> list[Recording]:
        folder = Path(os.environ.get("PPGNAS_TEST_DATA", "")) / dataset
        if "PPGNAS_TEST_DATA" not in os.environ or not folder.is_dir():
            pytest.skip(
                f"no real recordings: set PPGNAS_TEST_DATA to a folder that holds {dataset}"
            )
        return read_folder(folder)

    return read
