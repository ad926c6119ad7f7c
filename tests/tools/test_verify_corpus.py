"""The two readers of a finished tree agree on the attack corpus, but for a table of exceptions."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Final

import pytest

from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository
from tests.attacks.corpus import Attack, Side, attacks
from tests.support.readers import by_mpgit, by_script

NO_SCHEMA: Final = "the script holds records to no schema and knows no field but those it follows"
NO_LETTERS: Final = "it reads bytes: it decodes neither UTF-8 nor escapes"
NO_NUMBERS: Final = "it sees that a number is spelled like one, and computes none"
NO_SPELLING: Final = "it reads line by line: the order of keys and needless quotes change nothing"
KEYGEN: Final = "ssh-keygen verifies signatures, and takes this one"
MPGIT_ALONE_REFUSES: Final[dict[str, tuple[str, ...]]] = {
    NO_SCHEMA: (
        "bytes/another_schema",
        "bytes/default_left_out",
        "bytes/integer_for_a_decimal",
        "bytes/number_as_text",
        "bytes/truth_for_a_number",
        "privacy/counts_that_do_not_add_up",
        "privacy/hidden_lines_in_a_name",
        "privacy/model_reads_labels",
        "privacy/name_in_a_metrics_id",
        "privacy/network_while_it_ran",
        "privacy/text_among_software",
        "privacy/text_among_statistics",
        "privacy/text_for_a_number",
        "privacy/text_in_a_statistics_name",
        "privacy/undeclared_field",
        "signatures/key_too_short",  # it signs nothing: nobody decodes it
    ),
    NO_LETTERS: (
        "bytes/invisible_letters",
        "bytes/lone_surrogate",
        "bytes/needless_escape",
        "bytes/not_normalised",
        "bytes/not_utf8",
        "bytes/overlong_utf8",
    ),
    NO_NUMBERS: (
        "bytes/integer_beyond_exact",
        "bytes/minus_zero",
        "bytes/number_too_large",
        "bytes/too_many_digits",
    ),
    NO_SPELLING: ("bytes/key_order", "bytes/needless_quotes"),
    KEYGEN: (
        "signatures/malleable",  # S + L in place of S
        "signatures/token_not_touched",  # it does not ask for the flag
        "signatures/weaker_hash",  # SHA-256
    ),
}
"""Attacks that `mpgit audit --tree` refuses and verify.sh accepts, by the reason. No other differs:
what only the history shows, both accept."""

NEITHER_ACCEPTS: Final = {
    "authority/revoked_key_dropped": "whatever a compromised key signed is doubted",
}
"""Twins that are good in the light of their history alone, and why."""

_known: dict[tuple[str, str], tuple[bool, bool]] = {}
"""The verdicts on twins, by tree and genesis: a hundred are one and the same."""


def verdicts(attack: Attack, side: Side, path: Path) -> tuple[bool, bool]:
    """Whether mpgit and the script accept the tree that the attack's own door judges."""
    words = attack.build(side, path)
    options = dict(zip(words[1::2], words[2::2], strict=False))
    head = options.get("--head", "main")
    with Repository.open(path) as repository:
        base = repository.resolve(options.get("--base") or head)
        genesis = options.get("--genesis") or snapshot_at(repository, base).identity
        tree = repository.commit(repository.resolve(head)).tree
    if side == "twin" and attack.door == "check" and (tree, genesis) in _known:
        return _known[tree, genesis]
    script, _ = by_script(path, genesis, head)
    _known[tree, genesis] = by_mpgit(path, genesis, head), script
    return _known[tree, genesis]


@pytest.mark.parametrize("attack", attacks(), ids=str)
def test_both_readers_agree(attack: Attack, tmp_path: Path) -> None:
    known = str(attack) in chain(*MPGIT_ALONE_REFUSES.values())
    mpgit, script = verdicts(attack, "attack", tmp_path / "attack.git")
    assert (mpgit, script) == ((False, True) if known else (mpgit, mpgit))
    assert attack.twin == 0
    good = str(attack) not in NEITHER_ACCEPTS
    assert verdicts(attack, "twin", tmp_path / "twin.git") == (good, good)


def test_the_tables_name_attacks() -> None:
    names = [*chain(*MPGIT_ALONE_REFUSES.values()), *NEITHER_ACCEPTS]
    assert len(set(names)) == len(names)
    assert set(names) <= {str(attack) for attack in attacks()}
