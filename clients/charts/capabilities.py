"""The APIs of the cluster that a chart asks for before it renders something (Helm, "Capabilities")."""

import re

from bundle.charts.package import read_archive
from bundle.errors import FormatError

_ASKED = re.compile(rb"""\.APIVersions\.Has[ \t(]{1,8}["`]([A-Za-z0-9./-]{1,200})["`]""")


def asked_apis(package: bytes, *, subject: str) -> tuple[str, ...]:
    """What the templates of a packaged chart, and of its subcharts, ask for by name, sorted: GROUP/VERSION[/KIND]."""
    found: set[str] = set()
    files = read_archive(package, keep=lambda name: "templates/" in name or name.endswith(".tgz"), subject=subject)
    for name, data in files.items():
        if "templates/" in name:
            found.update(each.decode() for each in _ASKED.findall(data))
            continue
        try:
            found.update(asked_apis(data, subject=f"{subject}, {name}"))
        except FormatError:  # helm tells what is wrong with a subchart, if it is one
            continue
    return tuple(sorted(found))
