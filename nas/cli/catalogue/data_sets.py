"""The verb `data list`."""

from __future__ import annotations

from nas.cli import options
from nas.cli.common import emit, verb


@verb
def list_data(as_json: options.AsJson = False) -> None:
    """Data sets that can be read as their authors publish them, and forms of single files.

    \b
    ppgnas data list
    """
    from ppg.loaders.forms import FORMS
    from ppg.loaders.registry import DATA_SETS

    if as_json:
        emit(
            {
                "datasets": [
                    {
                        "name": known.name,
                        "title": known.title,
                        "summary": known.summary,
                        "licence": known.licence,
                        "folder": known.level,
                        "home": known.home,
                        "fetch": known.url is not None,
                        "size_bytes": known.size_bytes,
                        "sha256": known.sha256,
                    }
                    for known in DATA_SETS
                ],
                "forms": [
                    {"title": form.title, "what": form.what, "tried_on": form.tried_on}
                    for form in FORMS
                ],
            }
        )
        return
    for known in DATA_SETS:
        how = f"ppgnas data fetch {known.name}" if known.url else "by hand"
        print(
            f"{known.name}: {known.title}\n  {known.summary}\n  licence  {known.licence}\n"
            f"  folder   {known.level}\n  get it   {how}; {known.home}"
        )
    print("\nForms of single recordings, beside text with rows of cells (docs/forms.md):")
    for form in FORMS:
        print(f"{form.title}: {form.what} ({form.tried_on})")
