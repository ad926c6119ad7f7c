"""Rules about signatures, and the approvals that they add up to.

``approvals`` counts distinct participants whose signature is good, was asked for, and was
made by a key of the base that no other counted participant uses.

Example:
    >>> SignatureWanted.code
    'signature-wanted'
"""

from __future__ import annotations

from collections.abc import Iterator

from medperf_git.checks.report import Approval, Finding, RecordStatus
from medperf_git.checks.rule import Rule
from medperf_git.checks.transition import MAX_SIDECARS, Transition
from medperf_git.errors import CanonicalError, TrustError
from medperf_git.records.base import Record
from medperf_git.records.participant import Key, Participant
from medperf_git.store.paths import Place, SignaturePlace
from medperf_git.trust.authority import Demand, View, keys_of
from medperf_git.trust.keys import PublicKey


class PublicKeys(Rule):
    """Every public key is a sound Ed25519 key: right length, canonical, not of small order."""

    advice = "`mpgit key create` makes a good key"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every weak or malformed key."""
        for place, record in transition.judged():
            if not isinstance(record, Participant):
                continue
            for key in record.keys:
                try:
                    PublicKey.parse(key.public_key)
                except TrustError as error:
                    transition.blocked.add(place)
                    yield self.finding(place.path, error.message, field=f"keys.{key.name}")


class SignatureFormat(Rule):
    """Every signature is one SSHSIG in its one armour: Ed25519, SHA-512, nothing behind it."""

    advice = "remove it and sign again: `mpgit request approve`"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every signature file that is not one."""
        for signatures in transition.signatures.values():
            if len(signatures) > MAX_SIDECARS:
                continue  # refused unread
            for place in signatures:
                try:
                    transition.signature(place)
                except (TrustError, CanonicalError) as error:
                    transition.blocked.add(place.record)
                    yield self.finding(place.path, error.message)


class SignatureWanted(Rule):
    """A signature stands only where a row of design.md §5 asks for it."""

    advice = "remove the signature: it gives the record nothing"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every signature of somebody who has no say."""
        for place, record in transition.judged():
            wanted = transition.demand(place, record)
            proofs = {key.name for key in wanted.proofs}
            for signature in transition.signatures.get(place, []):
                if signature.signer not in wanted.eligible:
                    yield self.finding(
                        signature.path, f"{signature.signer} has no say in this record"
                    )
                elif signature.key is not None and not (
                    signature.key in proofs and signature.signer == place.id
                ):
                    yield self.finding(
                        signature.path, f"{signature.key} is no new key of this record"
                    )


class SignatureKey(Rule):
    """A signature is made by a key of its signer that is active in the base tree.

    For a proof of possession, it is made by the very key that it proves.
    """

    advice = "sign with an active key; `mpgit participant view` lists them"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every signature by a key that does not speak for its signer now."""
        for place, record in transition.judged():
            for signature, parsed in transition.sound(place):
                if parsed.key.text not in _accepted(signature, record, transition.view):
                    yield self.finding(
                        signature.path, f"its key is no active key of {signature.signer}"
                    )


def _accepted(signature: SignaturePlace, record: Record, base: View) -> set[str]:
    if signature.key is not None and isinstance(record, Participant):
        return {key.public_key for key in record.active_keys if key.name == signature.key}
    return {key.public_key for key in keys_of(signature.signer, record, base)}


class SignatureFits(Rule):
    """A signature verifies over the record's exact bytes, for its kind and this registry."""

    advice = "sign again: `mpgit request approve`"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every signature over other bytes or for another namespace."""
        for place, _ in transition.judged():
            payload = transition.added[place].payload
            for signature, parsed in transition.sound(place):
                try:
                    parsed.verify(payload, transition.namespace(place))
                except TrustError as error:
                    # Either of the two files may be the one that was changed.
                    yield self.finding(signature.path, f"over {place.path}: {error.message}")


class OneKeyOnePerson(Rule):
    """One key never speaks for two participants on one record.

    Otherwise one person could register twice and be a committee.
    """

    advice = "each participant has keys of its own"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every second use of a key on one record."""
        for place, _ in transition.judged():
            used: dict[bytes, str] = {}
            for signature, parsed in transition.sound(place):
                # The point alone: one key can be listed with and without a token's envelope.
                other = used.setdefault(parsed.key.point, signature.signer)
                if other != signature.signer:
                    yield self.finding(signature.path, f"made with a key that {other} signed with")


def status_of(transition: Transition, place: Place, record: Record) -> RecordStatus:
    """How far the demand on a record is met; meaningful where no rule found anything."""
    wanted = transition.demand(place, record)
    signatures = transition.signatures.get(place, [])
    signers = {signature.signer for signature in signatures if signature.key is None}
    nearest = wanted.nearest(signers)
    return RecordStatus(
        place,
        tuple(
            Approval(r.role, r.threshold, r.eligible, tuple(sorted(signers & set(r.eligible))))
            for r in nearest.requirements
        ),
        tuple(key.name for key in _unproved(transition, wanted, place)),
    )


def _unproved(transition: Transition, wanted: Demand, place: Place) -> list[Key]:
    own = (parsed for signature, parsed in transition.sound(place) if signature.signer == place.id)
    proved = {parsed.key.text for parsed in own}
    return [key for key in wanted.proofs if key.public_key not in proved]
