"""The groups of steps, one table in the order of the work: what each does, reads and writes, and on which side.

dodo.py takes the line of each task from here, `help` and the completions the rest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.runtime.variables import AIR_GAPPED, BOTH, CONNECTED, Side

_SENDING = ("spec", "out", "state", "since", "engine", "jobs")
_VERIFYING = ("bundle", "since", "trust", "state")
_RECEIVING = ("bundle", "site", "registry", "engine", "trust", "since", "downgrade", "state", "jobs")


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """`name` is that of a task of dodo.py, whose steps are called `name:...`; `purpose` is its line in a list.

    `main` ones are what people type; the others are the steps that these consist of.
    """

    name: str
    purpose: str
    reads: str
    writes: str
    sides: frozenset[Side] = CONNECTED
    main: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables that it takes."""
        if self.sides == CONNECTED:
            return _SENDING
        return _VERIFYING if self.sides == BOTH else _RECEIVING


def _by_name(groups: Iterable[ListedGroup]) -> Mapping[str, ListedGroup]:
    return {each.name: each for each in groups}


GROUPS: Mapping[str, ListedGroup] = _by_name(
    (
        ListedGroup(
            "bundle",
            "build the bundle: pin, pull, save, chart, file, sbom, ... pack",
            "the spec, airgap.lock, the sources of images, charts and files",
            "the bundle below out=, its archive, airgap.lock",
            main=True,
        ),
        ListedGroup("pin", "pin each image's tag to a digest", "the images' registries", "airgap.lock"),
        ListedGroup("pull", "download the images", "the images' registries, by the digests pinned", "the blob cache"),
        ListedGroup("tag", "give the images their target names", "the blob cache", "the state"),
        ListedGroup("save", "write the images into the bundle", "the blob cache", "images/ of the bundle"),
        ListedGroup("sbom", "list the packages in the images", "the images' layers", "sbom/ of the bundle"),
        ListedGroup("layout", "write the index of the images", "the saved images", "images/index.json of the bundle"),
        ListedGroup("chart", "download the charts", "chart repositories, registries or directories", "charts/"),
        ListedGroup("file", "download the files", "the files' addresses or paths", "files/ of the bundle"),
        ListedGroup("carry", "copy what the install needs", "values files, CA certificates", "install/ of the bundle"),
        ListedGroup(
            "prove", "check that the images which the charts use are in the bundle", "charts, values, helm", "the state"
        ),
        ListedGroup(
            "manifest", "write the list of contents", "all of the above", "manifest.json, manifest.txt, airgap.json"
        ),
        ListedGroup("zipapp", "write airgap.pyz, the program for the air-gapped side", "this program", "airgap.pyz"),
        ListedGroup("describe", "write the report on the bundle", "all of the above", "report.html, report.json"),
        ListedGroup("checksum", "write the checksum of every file", "the bundle", "SHA256SUMS"),
        ListedGroup("sign", "sign the list of checksums", "the signing key that the spec names", "SHA256SUMS.sig"),
        ListedGroup(
            "directory", "move the finished bundle into place", "the bundle as built", "the bundle's directory"
        ),
        ListedGroup("pack", "write the archive or its parts", "the bundle", "the archive and its .sha256"),
        ListedGroup(
            "verify",
            "verify a bundle: signature, checksums, contents",
            "the bundle, trust= or the keys that the site trusts",
            "nothing but the result in the state",
            BOTH,
            main=True,
        ),
        ListedGroup(
            "preflight",
            "check the site before the first change",
            "the bundle, site=, DNS, registry, cluster, databases",
            "nothing",
            AIR_GAPPED,
            main=True,
        ),
        ListedGroup(
            "install",
            "install the bundle: verify, preflight, transfer, push, secret, helm, health, ... receipt",
            "the bundle, site=, environment variables that the spec names",
            "images in the registry; namespaces, secrets and releases in the cluster; the receipt",
            AIR_GAPPED,
            main=True,
        ),
        ListedGroup(
            "transfer",
            "read the bundle once: compare every file, and send what is missing inside",
            "every file of the bundle",
            "blobs without a name in the registry, or images in the Docker daemon",
            AIR_GAPPED,
        ),
        ListedGroup("derive", "build the images with a custom CA", "the bundle's images", "the state", AIR_GAPPED),
        ListedGroup(
            "load", "load the images into the Docker daemon", "the bundle's images", "the Docker daemon", AIR_GAPPED
        ),
        ListedGroup("push", "push the images to the internal registry", "the bundle", "the registry", AIR_GAPPED),
        ListedGroup("namespace", "create the namespaces", "the cluster", "namespaces", AIR_GAPPED),
        ListedGroup("secret", "create the secrets", "site=, environment variables", "secrets", AIR_GAPPED),
        ListedGroup("values", "resolve the releases' values", "values files, site=, secrets", "the state", AIR_GAPPED),
        ListedGroup("helm", "install or upgrade the releases", "charts and values", "releases", AIR_GAPPED),
        ListedGroup("health", "wait until the releases are healthy", "the cluster, health URLs", "nothing", AIR_GAPPED),
        ListedGroup("action", "run the spec's own actions", "what the action reads", "what it prints", AIR_GAPPED),
        ListedGroup("receipt", "write the install record", "the results of the steps", "receipt.json", AIR_GAPPED),
    )
)
