"""The tasks, in the order of the crossing. `doit bundle` makes the bundle, `doit verify` checks one.

`doit list` shows them, `doit list --all --status` each step with its state, `doit help` the commands.
"""

from tasks.cli.checkout import require_program

require_program(__file__)

from tasks.assemble import describe, directory, manifest, pack, sign, zipapp
from tasks.cli.setup import doit_config, open_project
from tasks.collect import carry, charts, files, images, save, sbom
from tasks.install import actions, derive, preflight, push, receipt, releases, secrets, verify
from tasks.proof import prove
from tasks.runtime.step import group, to_doit
from tasks.site.receiver import Receiver

PROJECT = open_project()
RECEIVER = Receiver(PROJECT)
DOIT_CONFIG = doit_config(PROJECT)

if PROJECT.has_spec:

    def task_pin():
        yield from to_doit("pin", "pin each image's tag to a digest in airgap.lock", images.pin_steps(PROJECT))

    def task_pull():
        yield from to_doit("pull", "fetch the images' blobs into the cache", images.pull_steps(PROJECT))

    def task_tag():
        yield from to_doit("tag", "give the images their internal names", save.tag_steps(PROJECT))

    def task_save():
        yield from to_doit("save", "write the images into the bundle", save.save_steps(PROJECT))

    def task_sbom():
        yield from to_doit("sbom", "list the packages in the images", sbom.sbom_steps(PROJECT))

    def task_layout():
        yield from to_doit("layout", "write the index of the images", save.layout_steps(PROJECT))

    def task_chart():
        yield from to_doit("chart", "bring the charts into the bundle", charts.chart_steps(PROJECT))

    def task_file():
        yield from to_doit("file", "bring the files into the bundle", files.file_steps(PROJECT))

    def task_carry():
        yield from to_doit("carry", "bring what install needs", carry.carry_steps(PROJECT))

    def task_prove():
        yield from to_doit("prove", "prove that the releases' images are in the bundle", prove.prove_steps(PROJECT))

    def task_manifest():
        yield from to_doit("manifest", "state what the bundle holds", manifest.manifest_steps(PROJECT))

    def task_zipapp():
        yield from to_doit("zipapp", "write the receiving half of this program", zipapp.zipapp_steps(PROJECT))

    def task_describe():
        yield from to_doit("describe", "write the report on the bundle", describe.describe_steps(PROJECT))

    def task_checksum():
        yield from to_doit("checksum", "list the checksum of every file", directory.checksum_steps(PROJECT))

    def task_sign():
        yield from to_doit("sign", "sign the list of checksums", sign.sign_steps(PROJECT))

    def task_directory():
        yield from to_doit("directory", "put the finished bundle in its place", directory.directory_steps(PROJECT))

    def task_pack():
        yield from to_doit("pack", "write the archive or its parts", pack.pack_steps(PROJECT))

    def task_bundle():
        yield group("bundle", "make the bundle: all of the above", after=["directory", "pack"])


def task_verify():
    yield from to_doit("verify", "check a bundle", verify.verify_steps(RECEIVER))


if RECEIVER.carried.has_plan:

    def task_preflight():
        yield from to_doit("preflight", "check the site before the first change", preflight.preflight_steps(RECEIVER))

    def task_derive():
        yield from to_doit("derive", "make images of the bundle's", derive.derive_steps(RECEIVER))

    def task_load():
        yield from to_doit("load", "load the images into the Docker Engine", push.load_steps(RECEIVER))

    def task_push():
        yield from to_doit("push", "bring the images into the registry inside", push.push_steps(RECEIVER))

    def task_namespace():
        yield from to_doit("namespace", "make the namespaces", secrets.namespace_steps(RECEIVER))

    def task_secret():
        yield from to_doit("secret", "make the secrets", secrets.secret_steps(RECEIVER))

    def task_values():
        yield from to_doit("values", "resolve the releases' values", releases.values_steps(RECEIVER))

    def task_helm():
        yield from to_doit("helm", "install or upgrade the releases", releases.helm_steps(RECEIVER))

    def task_health():
        yield from to_doit("health", "prove the releases' health", releases.health_steps(RECEIVER))

    def task_action():
        yield from to_doit("action", "run the spec's own steps", actions.action_steps(RECEIVER))

    def task_receipt():
        yield from to_doit("receipt", "write what is inside now", receipt.receipt_steps(RECEIVER))

    def task_install():
        yield group("install", "bring the bundle up inside: all of the above", after=["receipt"])
else:

    def task_unplanned():
        for base in ("preflight", "push", "install"):
            yield group(base, "needs a bundle that can be read", after=["verify"])
