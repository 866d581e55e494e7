"""Makes the accounts of a CSV file in the ZenML Pro control plane; one that is there already stays as it is.

The first line names the columns: `username`, `password`, and `superuser` (true or false) where somebody is one. The
file is looked at as a whole before the first account is made, and a run that was stopped can be run again. Needs only
Python's standard library, and enroll.py beside it. The password of the superuser who makes them is read from
SUPERUSER_PASSWORD. The system's CAs are trusted, or those in SSL_CERT_FILE.
"""

import argparse
import csv
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from enroll import ADMIN, ControlPlane, EnrollError, say

NEEDED, TAKEN = ("username", "password"), ("username", "password", "superuser")
YES_OR_NO = {"true": True, "false": False, "": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who it is for, with a first password that they change."""

    username: str
    password: str
    superuser: bool


def read(path: Path) -> list[Account]:
    """The accounts of the file; an EnrollError names lines that can't be used, and quotes none for the passwords."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets begin theirs with a mark
            rows = csv.DictReader(file)
            columns = tuple(rows.fieldnames or ())
            lines = [(rows.line_num, row) for row in rows]
    except (OSError, UnicodeError, csv.Error) as err:
        raise EnrollError(f"{path} can't be read: {err}", hint="save it as CSV in UTF-8, with commas") from err
    if not set(NEEDED) <= set(columns) <= set(TAKEN) or len(set(columns)) != len(columns):
        what = f"{path}: the first line does not name the columns: {','.join(TAKEN)}"
        raise EnrollError(what, hint="name them, separated by commas; superuser can be left out, and nothing be added")
    faults = list(_faults(lines))
    if faults:
        raise EnrollError(f"{path}: {'; '.join(faults)}", hint="correct these lines; no account was made")
    return [
        Account(
            username=row["username"].strip(),
            password=row["password"],
            superuser=YES_OR_NO[(row.get("superuser") or "").strip().lower()],
        )
        for _, row in lines
    ]


def _faults(lines: list[tuple[int, dict[str, str]]]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, row in lines:
        name = (row["username"] or "").strip()
        if None in row or None in (row["username"], row["password"]):
            yield f"line {number} has another number of columns than the first"
        elif not name or not row["password"]:
            yield f"line {number} has no {'password' if name else 'username'}"
        elif name in seen:
            yield f"lines {seen[name]} and {number} have one username"
        elif name == ADMIN:
            yield f"line {number} names the reserved account {ADMIN!r}"
        if (row.get("superuser") or "").strip().lower() not in YES_OR_NO:
            yield f"line {number}: superuser is neither true nor false"
        seen.setdefault(name, number)


def make(control: ControlPlane, accounts: list[Account]) -> None:
    """Make those that are not there yet, and say what was done with each."""
    for each in accounts:
        query = {"username": each.username, "password": each.password}
        try:
            control.call("POST", "/users", query={**query, **({"is_superuser": "true"} if each.superuser else {})})
        except EnrollError as err:
            if err.status != 409:
                say(f"account {each.username!r} is not made")
                raise
            say(f"account {each.username!r} exists, and stays as it is")
        else:
            say(f"account {each.username!r} is made{', a superuser' if each.superuser else ''}")


def run(asked: argparse.Namespace, env: Mapping[str, str]) -> None:
    """All of it; an EnrollError says what is in the way."""
    accounts = read(asked.file)
    if not env.get("SUPERUSER_PASSWORD"):
        hint = "take it from the secret superuser-password in the namespace zenml-pro"
        raise EnrollError("SUPERUSER_PASSWORD is not set", hint=hint)
    control = ControlPlane(asked.control_plane, timeout=asked.timeout, patience=0.0)
    control.login(asked.superuser, env["SUPERUSER_PASSWORD"])
    make(control, accounts)


def main() -> int:
    """Exit code 0 when every account of the file is there, 1 with one line that says why not."""
    parser = argparse.ArgumentParser(description="Make the accounts of a CSV file in a ZenML Pro control plane.")
    parser.add_argument("--control-plane", required=True, metavar="URL")
    parser.add_argument("--superuser", required=True, metavar="NAME", help="who makes them")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="for one answer")
    parser.add_argument("file", type=Path, metavar="CSV", help="username,password,superuser")
    try:
        run(parser.parse_args(), os.environ)
    except EnrollError as err:
        say(str(err))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
