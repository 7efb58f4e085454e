"""Compilers of the tests of generated C."""

from __future__ import annotations

import pytest

from deploy.emulation.host import HostCompiler, find_host_compiler
from deploy.emulation.toolchain import Compiler, find_compiler
from ppgnas.errors import DependencyError


@pytest.fixture(scope="session")
def host() -> HostCompiler:
    try:
        return find_host_compiler()
    except DependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", params=["zig", "gcc"])
def arm(request: pytest.FixtureRequest) -> Compiler:
    try:
        return find_compiler(request.param)
    except DependencyError as error:
        pytest.skip(str(error))
