"""The floor of every room, and the front door: the public names of `__init__.pyi`.

The floor: errors, the version, the task's constants, the way files and tables are written. The
public names are looked up when they are used, so importing ppgnas imports nothing else.
"""

__version__ = "0.1.0"

_PUBLIC = {
    "read": "nas.api.model",
    "search": "nas.api.run",
    "load": "nas.api.model",
    "score": "nas.api.model",
    "rescore": "nas.api.run",
    "Model": "nas.api.model",
    "Run": "nas.api.run",
    "Arch": "search_spaces.arch",
    "SearchSpace": "search_spaces.space",
    "Graph": "hwmodels.graph",
    "Board": "hwmodels.boards",
    "Recording": "ppg.recording",
    "PpgnasError": "ppgnas.errors",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module 'ppgnas' has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
