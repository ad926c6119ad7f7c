"""Every rule that a record's model holds, with a bad case: its change and the field named."""

from __future__ import annotations

from typing import Any

import pytest

from medperf_git.canonical.document import Document, emit
from medperf_git.errors import RecordError
from medperf_git.records.base import MAX_SLUG
from medperf_git.records.codec import build, decode, dump
from tests.records.samples import GONE, KEY, OTHER_KEY, SK_KEY, D, changed, pin

LONG = "a" * (MAX_SLUG + 1)
VOLUME = {"mount_path": "/mlcube/data_path", "type": "directory"}
SIZED: dict[str, Any] = {"sha256": D, "size": 1, "urls": []}
ISOLATION = "execution.steps.0.isolation"

Case = tuple[str, dict[str, Any], str]

BAD: dict[str, Case] = {
    # ids, pins, digests
    "id in capitals": ("participant", {"id": "KY"}, "id"),
    "id with two hyphens": ("participant", {"id": "k--y"}, "id"),
    "id ends in a hyphen": ("participant", {"id": "ky-"}, "id"),
    "id with a dot": ("participant", {"id": "k.y"}, "id"),
    "id of another alphabet": ("participant", {"id": "\u043a\u0443"}, "id"),
    "id too long": ("participant", {"id": LONG}, "id"),
    "id empty": ("participant", {"id": ""}, "id"),
    "id climbs": ("dataset", {"id": "ky/.."}, "id"),
    "id reserved": ("participant", {"id": "withdrawn"}, "id"),
    "id's second part reserved": ("dataset", {"id": "ky/policy"}, "id"),
    "id's second part too long": ("dataset", {"id": "a/" + LONG}, "id"),
    "id with one part": ("dataset", {"id": "ky"}, "id"),
    "id with three parts": ("dataset", {"id": "ky/a/b"}, "id"),
    "revision 0": ("dataset", {"revision": 0}, "revision"),
    "revision of seven digits": ("dataset", {"revision": 1_000_000}, "revision"),
    "revision a text": ("dataset", {"revision": "1"}, "revision"),
    "revision true": ("dataset", {"revision": True}, "revision"),
    "kind of another": ("dataset", {"kind": "model"}, "kind"),
    "digest in capitals": ("dataset", {"fingerprint.data": D.upper()}, "fingerprint.data"),
    "digest too short": ("dataset", {"fingerprint.data": D[:-1]}, "fingerprint.data"),
    "pin without digest": ("dataset", {"preparation.sha256": GONE}, "preparation.sha256"),
    "pin's id reserved": ("dataset", {"preparation.id": "a/models"}, "preparation.id"),
    "pin's id too long": ("dataset", {"preparation.id": "a/" + LONG}, "preparation.id"),
    "pin of another kind's shape": ("dataset", {"preparation": pin("a/b/c")}, "preparation.id"),
    "pin of a participant's shape": ("policy", {"benchmark": pin("a")}, "benchmark.id"),
    "name of two lines": ("dataset", {"name": "a\nb"}, "name"),
    "name with a terminal's escape": ("dataset", {"name": "a\x1b[2Jb"}, "name"),
    "name turned around": ("dataset", {"name": "a\u202eb"}, "name"),
    "name empty": ("dataset", {"name": ""}, "name"),
    "name too long": ("dataset", {"name": "a" * 121}, "name"),
    "description too long": ("dataset", {"description": "a" * 8001}, "description"),
    # root
    "root by another id": ("root", {"id": "other"}, "id"),
    "no administrators": ("root", {"administrators": []}, "administrators"),
    "administrator twice": (
        "root",
        {"administrators": [pin("a"), pin("a", 2)], "threshold": 1},
        "administrators",
    ),
    "administrator no participant": (
        "root",
        {"administrators.1": pin("anna/b")},
        "administrators.1.id",
    ),
    "threshold 0": ("root", {"threshold": 0}, "threshold"),
    "threshold above the administrators": ("root", {"threshold": 4}, "threshold"),
    "registration by another word": ("root", {"registration": "closed"}, "registration"),
    "benchmarks by another word": ("root", {"benchmarks": "never"}, "benchmarks"),
    "control plane by another word": ("root", {"control_plane": "none"}, "control_plane"),
    # control
    "control without reason": ("control", {"reason": ""}, "reason"),
    "control's digest": ("control", {"tree": "0"}, "tree"),
    # participant
    "no keys": ("participant", {"keys": []}, "keys"),
    "key name twice": ("participant", {"keys.1.name": "desk"}, "keys"),
    "key twice": ("participant", {"keys.2.public_key": KEY}, "keys"),
    "no active key": (
        "participant",
        {
            "keys": [
                {
                    "name": "a",
                    "public_key": KEY,
                    "status": "revoked",
                    "revoked": {"reason": "lost"},
                }
            ]
        },
        "keys",
    ),
    "RSA key": ("participant", {"keys.0.public_key": "ssh-rsa AAAA"}, "keys.0.public_key"),
    "key with a comment": (
        "participant",
        {"keys.0.public_key": KEY + " me"},
        "keys.0.public_key",
    ),
    "key spelled with padding": (
        "participant",
        {"keys.0.public_key": KEY + "===="},
        "keys.0.public_key",
    ),
    "key that is no base64": (
        "participant",
        {"keys.0.public_key": KEY[:-1]},
        "keys.0.public_key",
    ),
    "key of other bits than it spells": (
        "participant",
        {"keys.1.public_key": SK_KEY.replace("Do=", "Dp=")},
        "keys.1.public_key",
    ),
    "key with bytes behind it": (
        "participant",
        {"keys.0.public_key": KEY + "AAAA"},
        "keys.0.public_key",
    ),
    "key of another type inside": (
        "participant",
        {"keys.0.public_key": "ssh-ed25519 " + SK_KEY.split()[1]},
        "keys.0.public_key",
    ),
    "hardware key without application": (
        "participant",
        {"keys.1.public_key": SK_KEY.split()[0] + " " + KEY.split()[1]},
        "keys.1.public_key",
    ),
    "key of no bytes": (
        "participant",
        {"keys.0.public_key": "ssh-ed25519 AAAA"},
        "keys.0.public_key",
    ),
    "revoked without a reason": ("participant", {"keys.2.revoked": GONE}, "keys.2.revoked"),
    "active with a revocation": ("participant", {"keys.2.status": "active"}, "keys.2.revoked"),
    "compromised without a first commit": (
        "participant",
        {"keys.2.revoked.doubted_from": GONE},
        "keys.2.revoked.doubted_from",
    ),
    "lost with a first commit": (
        "participant",
        {"keys.2.revoked.reason": "lost"},
        "keys.2.revoked.doubted_from",
    ),
    "commit abbreviated": (
        "participant",
        {"keys.2.revoked.doubted_from": "0" * 7},
        "keys.2.revoked.doubted_from",
    ),
    "forge host as a URL": (
        "participant",
        {"forge_identities.0.host": "https://github.com"},
        "forge_identities.0.host",
    ),
    "forge account a name": (
        "participant",
        {"forge_identities.0.account": "ky"},
        "forge_identities.0.account",
    ),
    "age recipient": ("participant", {"encryption.0": "age2" + "q" * 58}, "encryption.0"),
    # containers
    "role without its tasks": ("mlcube", {"role": "metrics"}, "tasks"),
    "task missing": ("mlcube", {"tasks.statistics": GONE}, "tasks"),
    "task of another role": ("model", {"tasks.evaluate": {
        "command": ["a"], "input_volumes": {}, "output_volumes": {}}}, "tasks"),
    "task unknown": ("model", {"tasks.train": {}}, "tasks"),
    "required input missing": (
        "mlcube",
        {"tasks.prepare.input_volumes.labels_path": GONE},
        "tasks.prepare.input_volumes",
    ),
    "required output missing": (
        "mlcube",
        {"tasks.prepare.output_volumes.output_path": GONE},
        "tasks.prepare.output_volumes",
    ),
    "model that reads labels": (
        "model",
        {"tasks.infer.input_volumes.labels_path": {"mount_path": "/l", "type": "directory"}},
        "tasks.infer.input_volumes",
    ),
    "output outside the contract": (
        "model",
        {"tasks.infer.output_volumes.more": {"mount_path": "/m", "type": "directory"}},
        "tasks.infer.output_volumes",
    ),
    "one mount twice": (
        "model",
        {"tasks.infer.input_volumes.additional_files": VOLUME},
        "tasks.infer.mount_path",
    ),
    "mount inside a mount": (
        "model",
        {"tasks.infer.output_volumes.output_path.mount_path": "/mlcube/data_path/out"},
        "tasks.infer.mount_path",
    ),
    "mount relative": (
        "model",
        {"tasks.infer.input_volumes.data_path.mount_path": "data"},
        "tasks.infer.input_volumes.data_path.mount_path",
    ),
    "mount climbs": (
        "model",
        {"tasks.infer.input_volumes.data_path.mount_path": "/a/../b"},
        "tasks.infer.input_volumes.data_path.mount_path",
    ),
    "mount over everything": (
        "model",
        {"tasks.infer.input_volumes.data_path.mount_path": "/"},
        "tasks.infer.input_volumes.data_path.mount_path",
    ),
    "no command": ("model", {"tasks.infer.command": []}, "tasks.infer.command"),
    "additional file twice": (
        "model",
        {"additional_files": [{"name": "a", **SIZED, "unpack": False}] * 2},
        "additional_files",
    ),
    "additional file climbs": (
        "model",
        {"additional_files.0.name": "../a"},
        "additional_files.0.name",
    ),
    "additional file hidden": (
        "model",
        {"additional_files.0.name": ".a"},
        "additional_files.0.name",
    ),
    "path climbs": ("model", {"additional_files.0.path": "a/../b"}, "additional_files.0.path"),
    "path absolute": ("model", {"additional_files.0.path": "/a"}, "additional_files.0.path"),
    "URL of another scheme": (
        "model",
        {"additional_files.0.urls": ["ftp://a"]},
        "additional_files.0.urls.0",
    ),
    "URL an option": (
        "model",
        {"additional_files.0.urls": ["--output=/etc"]},
        "additional_files.0.urls.0",
    ),
    "URL with a space": (
        "model",
        {"additional_files.0.urls": ["https://a/b c"]},
        "additional_files.0.urls.0",
    ),
    "URL turned around": (
        "model",
        {"additional_files.0.urls": ["https://a/\u202eb"]},
        "additional_files.0.urls.0",
    ),
    "size negative": ("model", {"additional_files.0.size": -1}, "additional_files.0.size"),
    "network": ("model", {"network": "host"}, "network"),
    "no memory": ("model", {"resources.memory_mb": 0}, "resources.memory_mb"),
    "no time": ("model", {"resources.seconds": 0}, "resources.seconds"),
    # datasets
    "statistics with text": ("dataset", {"statistics": {"a": {"b": "John"}}}, "statistics.a.b"),
    "statistics with a list": ("dataset", {"statistics": {"a": [1]}}, "statistics.a"),
    "statistics true": ("dataset", {"statistics": {"a": True}}, "statistics.a"),
    "statistics by long names": ("dataset", {"statistics": {"a": {"a b": 1}}}, "statistics.a"),
    "statistics too deep": (
        "dataset",
        {"statistics": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}},
        "statistics.a.b.c.d.e",
    ),
    "statistics too many": (
        "dataset",
        {"statistics": {"a": {f"k{number}": 1 for number in range(501)}}},
        "statistics.a",
    ),
    "no cases": ("dataset", {"cases": 0}, "cases"),
    "no files": ("dataset", {"fingerprint.files": 0}, "fingerprint.files"),
    # benchmarks
    "metric twice": (
        "benchmark",
        {
            "metrics": [
                {
                    **dict.fromkeys(("id", "name", "path", "unit"), "auroc"),
                    "minimum": 0.0,
                    "maximum": 1.0,
                    "direction": "higher",
                    "interval": "none",
                    "confidence": 0.95,
                    "standard_error": False,
                }
            ]
            * 2
        },
        "metrics",
    ),
    "no metrics": ("benchmark", {"metrics": []}, "metrics"),
    "primary metric undeclared": ("benchmark", {"primary_metric": "brier"}, "primary_metric"),
    "metric's range empty": ("benchmark", {"metrics.0.minimum": 1.0}, "metrics.0.minimum"),
    "metric's confidence 1": ("benchmark", {"metrics.0.confidence": 1.0}, "metrics.0.confidence"),
    "metric's path": ("benchmark", {"metrics.0.path": "a..b"}, "metrics.0.path"),
    "metric's id": ("benchmark", {"metrics.0.id": "AUROC"}, "metrics.0.id"),
    "committee member twice": (
        "benchmark",
        {"committee": {"members": ["a", "a"], "threshold": 1}},
        "committee.members",
    ),
    "committee empty": (
        "benchmark",
        {"committee": {"members": [], "threshold": 1}},
        "committee.members",
    ),
    "committee's threshold": ("benchmark", {"committee.threshold": 4}, "committee.threshold"),
    "no inclusion criteria": (
        "benchmark",
        {"clinical.inclusion_criteria": []},
        "clinical.inclusion_criteria",
    ),
    "minimum of no cases": ("benchmark", {"minimum_cases": 0}, "minimum_cases"),
    # policies
    "policy's results": ("policy", {"results": "never"}, "results"),
    "policy's mode": ("policy", {"models.mode": "all"}, "models.mode"),
    "policy open by word": ("policy", {"open": "yes"}, "open"),
    "policy without images": ("policy", {"images": []}, "images"),
    "policy's images": ("policy", {"images": ["tag"]}, "images.0"),
    "policy's priorities": ("policy", {"priorities": ["forest"]}, "priorities.0"),
    # associations
    "association by another id": (
        "model-association",
        {"id": "anna/preterm/mn/tree"},
        "id",
    ),
    "association shifted by a part": (
        "model-association",
        {"benchmark": pin("anna"), "model": pin("preterm/mn/forest")},
        "benchmark.id",
    ),
    "association shifted, of a dataset": (
        "dataset-association",
        {"benchmark": pin("anna/preterm/ky"), "dataset": pin("opt")},
        "benchmark.id",
    ),
    "dataset association by another id": (
        "dataset-association",
        {"id": "anna/preterm/ky/other"},
        "id",
    ),
    # results
    "result by another id": ("result", {"id": "anna/preterm/ky/opt/mn/tree"}, "id"),
    "result shifted by a part": (
        "result",
        {"dataset": pin("ky"), "model": pin("opt/mn/forest")},
        "dataset.id",
    ),
    "result's association a benchmark": (
        "result",
        {"dataset_association": pin("anna/preterm")},
        "dataset_association.id",
    ),
    "result without metrics": ("result", {"metrics": []}, "metrics"),
    "denominator that doesn't add up": ("result", {"denominator.failed": 5}, "denominator.cases"),
    "denominator negative": ("result", {"denominator.failed": -1}, "denominator.failed"),
    "standard error negative": (
        "result",
        {"metrics.0.standard_error": -0.1},
        "metrics.0.standard_error",
    ),
    "finished at no month": ("result", {"execution.finished": "2026-13-01"}, "execution.finished"),
    "finished in other digits": (
        "result",
        {"execution.finished": "\u0662\u0660\u0662\u0666-01-01"},
        "execution.finished",
    ),
    "finished to the second": (
        "result",
        {"execution.finished": "2026-01-01T00:00:00Z"},
        "execution.finished",
    ),
    "no steps": ("result", {"execution.steps": []}, "execution.steps"),
    "ran with network": ("result", {f"{ISOLATION}.network": "host"}, f"{ISOLATION}.network"),
    "ran with capabilities": (
        "result",
        {f"{ISOLATION}.capabilities": "all"},
        f"{ISOLATION}.capabilities",
    ),
    "ran with new privileges": (
        "result",
        {f"{ISOLATION}.new_privileges": True},
        f"{ISOLATION}.new_privileges",
    ),
    "ran as a name": ("result", {f"{ISOLATION}.user": "root"}, f"{ISOLATION}.user"),
    "limit enforced by hope": (
        "result",
        {f"{ISOLATION}.cpus.enforced_by": "hope"},
        f"{ISOLATION}.cpus.enforced_by",
    ),
    "limit of nothing": (
        "result",
        {f"{ISOLATION}.cpus.value": 0.0},
        f"{ISOLATION}.cpus.value",
    ),
    "engine unknown": ("result", {"execution.engine.name": "vm"}, "execution.engine.name"),
    # withdrawals
    "withdrawal of another id": ("withdrawal", {"id": "ky/other"}, "target.id"),
    "withdrawal of another revision": ("withdrawal", {"revision": 2}, "target.revision"),
    "withdrawal of another kind's shape": ("withdrawal", {"target_kind": "result"}, "id"),
    "withdrawal of the root": ("withdrawal", {"target_kind": "root"}, "target_kind"),
    "withdrawal of a withdrawal": ("withdrawal", {"target_kind": "withdrawal"}, "target_kind"),
    "withdrawal without reason": ("withdrawal", {"reason": GONE}, "reason"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_refused_at_its_field(name: str) -> None:
    kind, changes, field = BAD[name]
    data = changed(kind, changes)
    payload = emit(Document(f"../../schemas/{kind}.schema.json", data))
    with pytest.raises(RecordError) as caught:
        decode(payload, kind, depth=2)
    assert caught.value.place == field
    assert field in str(caught.value)


@pytest.mark.parametrize("name", BAD)
def test_the_model_alone_refuses_it(name: str) -> None:
    # Drafts reach the model without the schema.
    kind, changes, field = BAD[name]
    with pytest.raises(RecordError) as caught:
        build(kind, changed(kind, changes))
    place = str(caught.value.place)
    assert place.startswith(field) or field.startswith(place)


IMAGES: dict[str, tuple[Any, str]] = {
    "by tag": ({"type": "reference", "reference": "ghcr.io/mn/forest:latest"}, "image.reference"),
    "without registry": (
        {"type": "reference", "reference": f"forest@sha256:{D}"},
        "image.reference",
    ),
    "an option": (
        {"type": "reference", "reference": f"--privileged/a@sha256:{D}"},
        "image.reference",
    ),
    "digest too short": (
        {"type": "reference", "reference": f"ghcr.io/mn/forest@sha256:{D[:-1]}"},
        "image.reference",
    ),
    "archive without digest": ({"type": "archive", "size": 1, "urls": []}, "image.sha256"),
    "archive with a count of files": ({"type": "archive", **SIZED, "files": 1}, "image"),
    "source without files": ({"type": "source", **SIZED, "files": 0}, "image.files"),
    "another type": ({"type": "vm", "sha256": D}, "image"),
    "no type": ({**SIZED, "files": 1}, "image"),
    "no mapping": ("ghcr.io/mn/forest", "image"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_bad_images(name: str) -> None:
    image, field = IMAGES[name]
    data = changed("model", {"image": image})
    payload = emit(Document("../../schemas/model.schema.json", data))
    with pytest.raises(RecordError) as caught:
        decode(payload, "model", depth=2)
    assert caught.value.place == field
    with pytest.raises(RecordError) as caught:
        build("model", data)
    assert str(caught.value.place).startswith(field)
    assert str(caught.value.place).count(".") <= 1


def test_a_number_is_no_word() -> None:
    # 0 == False: the schema tells them apart, the model reads a draft's 0 as the word.
    data = changed("result", {f"{ISOLATION}.new_privileges": 0})
    with pytest.raises(RecordError) as caught:
        decode(emit(Document("../../schemas/result.schema.json", data)), "result", depth=2)
    assert caught.value.place == f"{ISOLATION}.new_privileges"
    assert dump(build("result", data)) == changed("result", {})


def test_faults_are_reported_together() -> None:
    with pytest.raises(RecordError) as caught:
        build("root", changed("root", {"threshold": 0, "registration": "no", "name": ""}))
    for field in ("threshold", "registration", "name"):
        assert f"{field}: " in str(caught.value)


GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "longest id": ("participant", {"id": "a" * MAX_SLUG}),
    "highest revision": ("dataset", {"revision": 999_999}),
    "another hospital's alphabet": ("dataset", {"name": "H\u00f4pital \u5317\u4eac"}),
    "text of lines": ("dataset", {"description": "a\n\nb\n"}),
    "keys exchanged": (
        "participant",
        {"keys.0.public_key": OTHER_KEY, "keys.2.public_key": KEY},
    ),
    "threshold of all": ("root", {"threshold": 3}),
    "archive": ("model", {"image": {"type": "archive", "sha256": D, "size": 1, "urls": []}}),
    "registry with a port": (
        "model",
        {"image.reference": f"localhost:5000/mn/forest@sha256:{D}"},
    ),
    "reference model's result": ("result", {"model_association": GONE}),
    "withdrawal of a result": (
        "withdrawal",
        {"id": "a/b/c/d/e/f", "target": pin("a/b/c/d/e/f"), "target_kind": "result"},
    ),
    "withdrawal of a participant": (
        "withdrawal",
        {"id": "a", "target": pin("a"), "target_kind": "participant"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good_records(name: str) -> None:
    kind, changes = GOOD[name]
    payload = emit(Document(f"../../schemas/{kind}.schema.json", changed(kind, changes)))
    decode(payload, kind, depth=2)
