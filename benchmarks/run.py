"""Measures us against peers: `python -m benchmarks.run pull|push|noop|crossing`. See README.md beside it."""

import argparse
import compileall
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import carriers, measure
from benchmarks.contenders import PEERS, ROOT, Contender, Ours, doit, peers, write_spec
from benchmarks.crossing import crossing
from benchmarks.dataset import FULL, SMOKE, DataSet, Plan, fill, many, touch_memory, warm, warm_files
from benchmarks.pushing import PUSHERS, OurPush, Pusher, pushers
from bundle.archive.reader import OpenedBundle, open_bundle
from tests.fixtures.parts.parts import PartError
from tests.fixtures.parts.registries import RunningRegistry, TlsFiles, cncf_registry

BASELINE = "skopeo copy"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark; 0 when it ran, 1 when a part is missing or a contender failed."""
    options = _parser().parse_args(arguments)
    _compile()
    try:
        with tempfile.TemporaryDirectory(prefix="airgap-bench-", dir=options.place) as name:
            report = options.run(options, Path(name))
    except (PartError, measure.RunError) as err:
        print(err, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps({"machine": _machine(options.place), **report}, indent=2) + "\n")
    return 0


def pull(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Everybody pulls the data set, in turns, over HTTP and then over TLS."""
    rivals, absent = peers(options.peers)
    for reason in absent:
        print(f"left out: {reason}")
    contenders = [*(Ours(jobs=jobs) for jobs in options.jobs), *rivals]
    report: dict[str, Any] = {"benchmark": "pull", "left_out": absent}
    for scheme in options.schemes:
        with _registry(work / scheme, tls=scheme == "https") as registry:
            data = fill(registry, SMOKE if options.smoke else FULL)
            results = _rounds(contenders, registry, data, work, options.rounds)
            print(
                _table(f"pull over {scheme}: {len(data.images)} images, {data.size / 1e6:.0f} MB", results, data.size)
            )
            report[scheme] = {"bytes": data.size, "results": [result.to_dict() for result in results]}
        shutil.rmtree(work / scheme)
    return report


def push(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Everybody pushes the data set into an empty registry, in turns, over HTTP and TLS; then we push what is there."""
    rivals, absent = pushers(options.peers)
    for reason in absent:
        print(f"left out: {reason}")
    contenders = [*(OurPush(jobs=jobs) for jobs in options.jobs), *rivals]
    report: dict[str, Any] = {"benchmark": "push", "left_out": absent}
    bundle, size = _bundle(work / "full", SMOKE if options.smoke else FULL)
    for scheme in options.schemes:
        runs: dict[str, list[measure.Cost]] = {contender.name: [] for contender in contenders}
        for _ in range(options.rounds):
            for contender in contenders:
                runs[contender.name].append(_push_once(contender, bundle, size, work / "turn", tls=scheme == "https"))
        results = [
            measure.Result(name=item.name, version=item.version, runs=tuple(runs[item.name])) for item in contenders
        ]
        title = f"push over {scheme}: {len(bundle.manifest.images)} images, {size / 1e6:.0f} MB"
        print(_table(title, results, size))
        report[scheme] = {"bytes": size, "results": [result.to_dict() for result in results]}
    shutil.rmtree(work / "full")
    report["present"] = _push_present(work, 3 if options.smoke else options.images, options.rounds)
    return report


def noop(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """`doit bundle` with nothing to do against `doit list` of the same graph, in turns."""
    with _registry(work / "registry", tls=False) as registry:
        data = fill(registry, many(3 if options.smoke else options.images))
        spec = write_spec(registry, data, work)
        lines = {"doit bundle": doit("bundle", spec), "doit list": doit("list", spec)}
        _command(lines["doit bundle"], work)
        runs: dict[str, list[measure.Cost]] = {name: [] for name in lines}
        with registry.recorded() as requests:
            for _ in range(options.rounds):
                for name, argv in lines.items():
                    runs[name].append(_command(argv, work))
    results = [measure.Result(name=name, version="", runs=tuple(costs)) for name, costs in runs.items()]
    ratio = results[0].seconds / results[1].seconds
    for result in results:
        print(f"{result.name:12}  median {result.seconds * 1000:6.0f} ms   peak {result.peak / 1e6:4.0f} MB")
    print(
        f"no-op with {len(data.images)} images: {ratio:.2f} times doit list; {len(requests)} requests to the registry"
    )
    return {
        "benchmark": "noop",
        "images": len(data.images),
        "ratio": round(ratio, 3),
        "requests": len(requests),
        "results": [result.to_dict() for result in results],
    }


def _rounds(
    contenders: Sequence[Contender], registry: RunningRegistry, data: DataSet, work: Path, rounds: int
) -> list[measure.Result]:
    """Each contender once a round, so that a slow moment of the machine meets all of them."""
    runs: dict[str, list[measure.Cost]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            warm(registry)
            runs[contender.name].append(_once(contender, registry, data, work / "turn"))
    return [measure.Result(name=item.name, version=item.version, runs=tuple(runs[item.name])) for item in contenders]


def _once(contender: Contender, registry: RunningRegistry, data: DataSet, place: Path) -> measure.Cost:
    """One pull into an empty directory. Nothing that an earlier one wrote is still on its way to the disk."""
    place.mkdir()
    commands = list(contender.commands(registry, data, place))
    env = {**os.environ, **contender.environment(registry, place)}
    cost = _measured(commands, env, place, data.size)
    written = measure.total_size([place])
    if written < data.size:
        raise measure.RunError(f"{contender.name} wrote {written} bytes, expected at least {data.size}")
    shutil.rmtree(place)
    return cost


def _push_once(pusher: Pusher, bundle: OpenedBundle, size: int, place: Path, *, tls: bool) -> measure.Cost:
    """One push into an empty registry, with the bundle in the page cache."""
    place.mkdir()
    with _registry(place / "registry", tls=tls) as registry:
        (place / "own").mkdir()
        commands = list(pusher.commands(registry, bundle, place / "own"))
        env = {**os.environ, **pusher.environment(registry, place / "own")}
        warm_files(bundle.path)
        cost = _measured(commands, env, place, size)
        stored = measure.total_size([registry.data])
    if stored < size:
        raise measure.RunError(f"{pusher.name} stored {stored} bytes, expected at least {size}")
    shutil.rmtree(place)
    return cost


def _measured(commands: Sequence[Sequence[str]], env: Mapping[str, str], place: Path, size: int) -> measure.Cost:
    """What one contender takes. Each command finds memory at hand for twice the `size` bytes that all of them write."""
    os.sync()
    cost = measure.NOTHING
    for argv in commands:
        touch_memory(place, 2 * size)
        cost = cost.then(measure.run(argv, env=env, directory=ROOT, log=place / "log"))
    return cost


def _push_present(work: Path, count: int, rounds: int) -> dict[str, Any]:
    """We push images that are all there."""
    bundle, _ = _bundle(work / "many", many(count))
    with _registry(work / "present", tls=False) as registry:
        (work / "own").mkdir()
        pusher = OurPush(jobs=2)
        (argv,) = pusher.commands(registry, bundle, work / "own")
        _command(argv, work)
        with registry.recorded() as requests:
            runs = tuple(_command(argv, work) for _ in range(rounds))
    result = measure.Result(name=pusher.name, version="", runs=runs)
    print(f"push of {count} present images: median {result.seconds:.2f} s, {len(requests) // rounds} requests a run")
    return {"images": count, "requests": len(requests) // rounds, "result": result.to_dict()}


def _bundle(place: Path, plan: Plan) -> tuple[OpenedBundle, int]:
    """A bundle of the images, made by ourselves, and the bytes of their distinct blobs."""
    place.mkdir()
    with _registry(place / "registry", tls=False) as registry:
        data = fill(registry, plan)
        _command(doit("bundle", write_spec(registry, data, place)), place)
    shutil.rmtree(place / "registry")
    return open_bundle(place / "out" / "bench-1.0.0"), data.size


def _command(argv: Sequence[str], work: Path) -> measure.Cost:
    return measure.run(argv, env=os.environ, directory=ROOT, log=work / "log")


def _compile() -> None:
    """Have our modules compiled, as they are from their second start on, also where Python is told not to keep that."""
    for package in ("bundle", "clients", "schema", "tasks"):
        compileall.compile_dir(ROOT / package, quiet=1)


@contextmanager
def _registry(root: Path, *, tls: bool) -> Iterator[RunningRegistry]:
    root.mkdir()
    with cncf_registry(root, tls=TlsFiles.make(root) if tls else None) as registry:
        yield registry


def _table(title: str, results: Sequence[measure.Result], size: int) -> str:
    baseline = next((result.seconds for result in results if result.name == BASELINE), None)
    lines = [title, f"{'':18} {'version':>8} {'median':>8} {'MB/s':>6} {'x skopeo':>9} {'peak RSS':>9}"]
    for result in results:
        ratio = f"{baseline / result.seconds:.2f}" if baseline else "-"
        lines.append(
            f"{result.name:18} {result.version:>8} {result.seconds:6.2f} s {size / 1e6 / result.seconds:6.0f}"
            f" {ratio:>9} {result.peak / 1e6:6.0f} MB"
        )
    return "\n".join(lines)


def _machine(place: Path) -> dict[str, Any]:
    usage = shutil.disk_usage(place)
    return {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "place_free_bytes": usage.free,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--smoke", action="store_true", help="a tiny data set, to see that it runs")
    common.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    common.add_argument("--place", type=Path, default=Path(tempfile.gettempdir()), help="where everything is written")
    commands = parser.add_subparsers(required=True)
    pulling = commands.add_parser("pull", parents=[common], help="pull 6 images of 1.4 GB, against peers")
    pulling.add_argument("--rounds", type=int, default=5)
    pulling.add_argument(
        "--jobs", type=int, nargs="+", default=[0], help="measure us with each of these; 0: our default"
    )
    pulling.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="against whom; nothing: nobody")
    pulling.add_argument("--schemes", nargs="+", choices=("http", "https"), default=("http", "https"))
    pulling.set_defaults(run=pull)
    pushing = commands.add_parser("push", parents=[common], help="push 6 images of 1.4 GB, against peers")
    pushing.add_argument("--rounds", type=int, default=5)
    pushing.add_argument("--jobs", type=int, nargs="+", default=[2, 4], help="measure us with each of these")
    pushing.add_argument("--images", type=int, default=100, help="how many that are all present")
    pushing.add_argument("--peers", nargs="*", choices=PUSHERS, default=PUSHERS, help="against whom; nothing: nobody")
    pushing.add_argument("--schemes", nargs="+", choices=("http", "https"), default=("http", "https"))
    pushing.set_defaults(run=push)
    idle = commands.add_parser("noop", parents=[common], help="a bundle that is up to date, against doit list")
    idle.add_argument("--rounds", type=int, default=10)
    idle.add_argument("--images", type=int, default=100)
    idle.set_defaults(run=noop)
    carrying = commands.add_parser("crossing", parents=[common], help="the whole job, both halves, against peers")
    carrying.add_argument("--rounds", type=int, default=3)
    carrying.add_argument("--peers", nargs="*", choices=carriers.PEERS, default=carriers.PEERS, help="against whom")
    carrying.set_defaults(run=crossing)
    return parser


if __name__ == "__main__":
    sys.exit(main())
