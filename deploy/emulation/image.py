"""Reads an image in ELF: what stands where, and how many bytes of flash and SRAM each part takes.

Convention: flash is code, constants and the initial values of data; SRAM is data and bss. The
stack is not part of an image; it is measured when the image runs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.emulation.linking import KINDS, boundary
from deploy.emulation.packages import load
from ppgnas.errors import ToolError


@dataclass(frozen=True)
class Segment:
    """Bytes that are loaded.

    Attributes:
        address: where they stand when the program runs.
        load_address: where they stand in flash; another address for the values of data.
        memory_bytes: how much they take when running; what exceeds `content` is zero.
    """

    address: int
    load_address: int
    content: bytes = field(repr=False)
    memory_bytes: int


@dataclass(frozen=True)
class Symbol:
    """A function or an object with a name.

    Attributes:
        address: of its first byte; the Thumb bit is cleared.
        size_bytes: as the compiler states it, 0 where it does not.
        kind: `function` or `object`.
        section: the section of the image, for example `.text`, `.data`, `.bss`.
    """

    name: str
    address: int
    size_bytes: int
    kind: str
    section: str


@dataclass(frozen=True)
class Sizes:
    """Bytes by kind, of an image or a part of it."""

    code: int = 0
    constants: int = 0
    data: int = 0
    bss: int = 0

    @property
    def flash_bytes(self) -> int:
        """Code, constants, and the initial values of data."""
        return self.code + self.constants + self.data

    @property
    def sram_bytes(self) -> int:
        """Data and bss; without the stack."""
        return self.data + self.bss


@dataclass(frozen=True)
class Image:
    """An ELF image for the Cortex-M7.

    Attributes:
        symbols: functions and objects, by address; one of several names of the same address.
        labels: value of every other named address, by name.
        flash_bytes: what the image takes of flash, gaps of alignment included.
        sram_bytes: what it takes of SRAM for data and bss.
    """

    path: Path
    segments: tuple[Segment, ...] = field(repr=False)
    symbols: tuple[Symbol, ...] = field(repr=False)
    labels: Mapping[str, int] = field(repr=False)
    flash_bytes: int
    sram_bytes: int

    def symbol(self, name: str) -> Symbol:
        """The function or object of that name.

        Raises:
            ToolError: the image holds none.
        """
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol
        if name in self.labels:  # another name of the same address
            address = self.labels[name] & ~1
            for symbol in self.symbols:
                if symbol.address == address:
                    return symbol
        names = ", ".join(sorted(symbol.name for symbol in self.symbols)[:20])
        raise ToolError(
            f"{self.path.name}: no symbol {name!r}; it holds {names or 'none'}. Functions that "
            "nothing in the image calls must be named in keep when it is built"
        )

    def function_at(self, address: int) -> Symbol | None:
        """The function that the address lies in: the last one that begins at or before it.

        A function of no stated size (assembly) reaches to the next one.
        """
        functions = [symbol for symbol in self.symbols if symbol.kind == "function"]
        place = bisect_right([symbol.address for symbol in functions], address & ~1) - 1
        if place < 0:
            return None
        found = functions[place]
        inside = address < found.address + found.size_bytes or found.size_bytes == 0
        return found if inside else None

    def sizes_of(self, label: str) -> Sizes:
        """What one source file brings, gaps of alignment within it included.

        Args:
            label: name of the file without ending, `model` for model.c.

        Raises:
            ToolError: no file of that name is in the image, or it was linked by a foreign script.
        """
        counts = {}
        for kind in KINDS:
            ends = [self.labels.get(boundary(edge, kind, label)) for edge in ("begin", "end")]
            if ends[0] is None or ends[1] is None:
                raise ToolError(
                    f"{self.path.name}: no part {label!r}; it has {', '.join(self.parts())}"
                )
            counts[kind] = ends[1] - ends[0]
        return Sizes(**counts)

    def parts(self) -> tuple[str, ...]:
        """The source files whose sizes can be asked for."""
        prefix = boundary("begin", "code", "")
        return tuple(sorted(x.removeprefix(prefix) for x in self.labels if x.startswith(prefix)))


def read_image(path: Path) -> Image:
    """Read an image.

    Raises:
        DependencyError: pyelftools is not installed.
        ToolError: the file is missing or is no ELF file for Arm, 32 bits.
    """
    elf_module = load(
        "elftools.elf.elffile", package="pyelftools", purpose="reading an image in ELF"
    )
    errors = load("elftools.common.exceptions", package="pyelftools", purpose="reading ELF")
    try:
        with path.open("rb") as stream:
            elf = elf_module.ELFFile(stream)
            if elf["e_machine"] != "EM_ARM" or elf.elfclass != 32:
                raise ToolError(
                    f"{path}: built for {elf['e_machine']}; allowed is EM_ARM with 32 bits"
                )
            return _read(path, elf)
    except OSError as error:
        raise ToolError(f"{path}: cannot be read ({error.strerror})") from None
    except errors.ELFError as error:
        raise ToolError(f"{path}: no ELF file ({error}); build it first") from None


def _read(path: Path, elf: Any) -> Image:
    segments = tuple(
        Segment(part["p_vaddr"], part["p_paddr"], part.data(), part["p_memsz"])
        for part in elf.iter_segments()
        if part["p_type"] == "PT_LOAD" and part["p_memsz"]
    )
    flash = sram = 0
    for section in elf.iter_sections():
        flags, size = section["sh_flags"], section["sh_size"]
        if not flags & 2:  # SHF_ALLOC
            continue
        stored = section["sh_type"] != "SHT_NOBITS"
        flash += size if stored else 0
        sram += size if flags & 1 else 0  # SHF_WRITE
    symbols, labels = _symbols(elf)
    return Image(path, segments, symbols, labels, flash, sram)


def _symbols(elf: Any) -> tuple[tuple[Symbol, ...], dict[str, int]]:
    table = elf.get_section_by_name(".symtab")
    kinds = {"STT_FUNC": "function", "STT_OBJECT": "object"}
    best: dict[tuple[str, int], tuple[int, int, Symbol]] = {}
    labels: dict[str, int] = {}
    for entry in table.iter_symbols() if table is not None else ():
        kind = kinds.get(entry["st_info"]["type"])
        index = entry["st_shndx"]
        if entry.name and index != "SHN_UNDEF" and not entry.name.startswith("$"):
            labels.setdefault(entry.name, entry["st_value"])
        if kind is None or not isinstance(index, int):
            continue
        address = entry["st_value"] & ~1 if kind == "function" else entry["st_value"]
        section = elf.get_section(index).name
        symbol = Symbol(entry.name, address, entry["st_size"], kind, section)
        # Of several names of one address: the global before the local, then the largest.
        rank = (entry["st_info"]["bind"] != "STB_LOCAL", entry["st_size"])
        key = (kind, address)
        if key not in best or rank > best[key][:2]:
            best[key] = (*rank, symbol)
    ordered = sorted((item[2] for item in best.values()), key=lambda s: (s.address, s.kind))
    return tuple(ordered), labels
