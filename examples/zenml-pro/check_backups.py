"""What must hold between the settings of backups in the cluster, looked at before the first change; changes nothing.

Reads the site file from AIRGAP_SITE (JSON). Each line on standard error is one finding, with the next step after
` next: `. Exit code 1 when there is any. Needs only Python's standard library.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

_FIELD = r"[0-9A-Za-z*/,-]+"
_SCHEDULE = re.compile(rf"{_FIELD}(?: {_FIELD}){{4}}|@(?:yearly|annually|monthly|weekly|daily|midnight|hourly)")
_SIZE = re.compile(r"[1-9][0-9]*(?:Mi|Gi|Ti|M|G|T)")


def cronjobs(site: Mapping[str, Any]) -> Iterator[str]:
    """Those that are wanted can run, and keep what they write."""
    backup, kind = site["backup"], site["control_plane"]["database"]["type"]
    if not backup["image"]:
        yield (
            "backup.image is empty, which backups: true needs "
            "next: name an image with mariadb-dump in a registry inside, or write backups: false"
        )
    if kind == "postgres" and not backup["postgres_image"]:
        yield (
            "backup.postgres_image is empty, and the control plane has PostgreSQL "
            "next: name an image with pg_dump in a registry inside, or write backups: false"
        )
    if not _SCHEDULE.fullmatch(backup["schedule"]):
        yield f"backup.schedule is {backup['schedule']!r} next: write five fields, such as '30 2 * * *'"
    if not _SIZE.fullmatch(backup["size"]):
        yield f"backup.size is {backup['size']!r} next: write a number and its unit, such as 20Gi"
    for name in ("keep", "keep_days"):
        if backup[name] < 0:
            yield f"backup.{name} is {backup[name]} next: write 0 for no limit, or more"


def findings(site: Mapping[str, Any]) -> Iterator[str]:
    """All that does not hold. Settings of wrong types are left to preflight, which reports them itself."""
    texts, numbers = ("image", "postgres_image", "schedule", "size"), ("keep", "keep_days")
    backup = site["backup"]
    is_typed = all(isinstance(backup[name], str) for name in texts) and all(isinstance(backup[n], int) for n in numbers)
    if site["backups"] is True and is_typed:
        yield from cronjobs(site)


def main() -> int:
    """Exit code 0 when all holds, 1 with a line for each thing that does not."""
    found = list(findings(json.loads(os.environ["AIRGAP_SITE"])))
    for each in found:
        print(each, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
