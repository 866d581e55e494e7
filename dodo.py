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
from tasks.transfer import step as transfer

PROJECT = open_project()
RECEIVER = Receiver(PROJECT)
DOIT_CONFIG = doit_config(RECEIVER)

if PROJECT.has_spec:

    def task_pin():
        yield from to_doit("pin", images.pin_steps(PROJECT))

    def task_pull():
        yield from to_doit("pull", images.pull_steps(PROJECT))

    def task_tag():
        yield from to_doit("tag", save.tag_steps(PROJECT))

    def task_save():
        yield from to_doit("save", save.save_steps(PROJECT))

    def task_sbom():
        yield from to_doit("sbom", sbom.sbom_steps(PROJECT))

    def task_layout():
        yield from to_doit("layout", save.layout_steps(PROJECT))

    def task_chart():
        yield from to_doit("chart", charts.chart_steps(PROJECT))

    def task_file():
        yield from to_doit("file", files.file_steps(PROJECT))

    def task_carry():
        yield from to_doit("carry", carry.carry_steps(PROJECT))

    def task_prove():
        yield from to_doit("prove", prove.prove_steps(PROJECT))

    def task_manifest():
        yield from to_doit("manifest", manifest.manifest_steps(PROJECT))

    def task_zipapp():
        yield from to_doit("zipapp", zipapp.zipapp_steps(PROJECT))

    def task_describe():
        yield from to_doit("describe", describe.describe_steps(PROJECT))

    def task_checksum():
        yield from to_doit("checksum", directory.checksum_steps(PROJECT))

    def task_sign():
        yield from to_doit("sign", sign.sign_steps(PROJECT))

    def task_directory():
        yield from to_doit("directory", directory.directory_steps(PROJECT))

    def task_pack():
        yield from to_doit("pack", pack.pack_steps(PROJECT))

    def task_bundle():
        yield group("bundle", after=["directory", "pack"])


def task_verify():
    yield from to_doit("verify", verify.verify_steps(RECEIVER))


if RECEIVER.carried.has_plan:

    def task_preflight():
        yield from to_doit("preflight", preflight.preflight_steps(RECEIVER))

    def task_transfer():
        yield from to_doit("transfer", transfer.transfer_steps(RECEIVER))

    def task_derive():
        yield from to_doit("derive", derive.derive_steps(RECEIVER))

    def task_load():
        yield from to_doit("load", push.load_steps(RECEIVER))

    def task_push():
        yield from to_doit("push", push.push_steps(RECEIVER))

    def task_namespace():
        yield from to_doit("namespace", secrets.namespace_steps(RECEIVER))

    def task_secret():
        yield from to_doit("secret", secrets.secret_steps(RECEIVER))

    def task_values():
        yield from to_doit("values", releases.values_steps(RECEIVER))

    def task_helm():
        yield from to_doit("helm", releases.helm_steps(RECEIVER))

    def task_health():
        yield from to_doit("health", releases.health_steps(RECEIVER))

    def task_action():
        yield from to_doit("action", actions.action_steps(RECEIVER))

    def task_receipt():
        yield from to_doit("receipt", receipt.receipt_steps(RECEIVER))

    def task_install():
        yield group("install", after=["receipt"])
else:

    def task_unplanned():
        for base in ("preflight", "push", "install"):
            yield group(base, after=["verify"])
