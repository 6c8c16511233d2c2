"""Reading an observation: what is whole is read, what is not is a clear finding."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tandem.process.observing import reading
from tandem.process.observing.format import SECTIONS
from tandem.process.observing.reading import ObservationRefused, read_observation


def members(side: str = "exchange", **changed: Any) -> dict[str, Any]:
    """An observation of a forest where there is one dial plan, and nothing else."""
    objects: dict[str, Any] = {name: [] for name in SECTIONS.get(side, ())}
    if side == "exchange":
        objects["UMDialPlan"] = [{"Name": "Main", "NumberOfDigitsInExtension": 4, "AccessTelephoneNumbers": ["+1"]}]
    whole = {
        "format": "tandem-observation",
        "version": 1,
        "side": side,
        "forest": "Proseware.example",
        "by": "PROSEWARE\\xena",
        "host": "EX1.proseware.example",
        "shell": "exchange-2013" if side == "exchange" else "lync-2013",
        "started": "2026-11-28T09:00:00Z",
        "ended": "2026-11-28T09:00:21Z",
        "objects": objects,
        "unread": {},
    }
    return whole | changed


def sealed(found: dict[str, Any], comma: str = ",") -> bytes:
    """As a collector writes it: the digest is of all bytes before the comma of the last member."""
    body = json.dumps(found, ensure_ascii=False, separators=(",", ":"))[:-1].encode()
    return body + comma.encode() + f'"sha256":"{hashlib.sha256(body).hexdigest()}"}}\n'.encode()


def with_objects(**sections: Any) -> dict[str, Any]:
    found = members()
    found["objects"] |= sections
    return found


def test_an_observation_is_read_with_who_where_and_when() -> None:
    seen = read_observation(sealed(members()))
    assert (seen.side, seen.forest, seen.shell) == ("exchange", "proseware.example", "exchange-2013")
    assert (seen.by, seen.host) == ("PROSEWARE\\xena", "ex1.proseware.example")
    assert seen.ended == datetime(2026, 11, 28, 9, 0, 21, tzinfo=UTC)
    assert seen.objects["UMDialPlan"] == (
        {"Name": "Main", "NumberOfDigitsInExtension": 4, "AccessTelephoneNumbers": ("+1",)},
    )
    assert seen.objects["UMHuntGroup"] == ()


def test_the_digest_is_that_of_the_bytes_before_the_last_member() -> None:
    data = sealed(members(), comma=",\n")
    assert read_observation(data).sha256 == hashlib.sha256(data[: data.rindex(b',\n"sha256"')]).hexdigest()


def test_null_is_as_if_absent_and_unknown_properties_and_sections_are_passed_over() -> None:
    found = with_objects(
        UMDialPlan=[{"Name": "Main", "OperatorExtension": None, "FaxEnabled": True}], MailUser=[{"Name": 1}]
    )
    seen = read_observation(sealed(found))
    assert seen.objects["UMDialPlan"] == ({"Name": "Main"},) and "MailUser" not in seen.objects


def test_a_section_that_could_not_be_read_says_why() -> None:
    found = members(unread={"UMHuntGroup": "Access is denied."})
    del found["objects"]["UMHuntGroup"]
    seen = read_observation(sealed(found))
    assert seen.unread == {"UMHuntGroup": "Access is denied."} and "UMHuntGroup" not in seen.objects


def test_one_altered_byte_is_found() -> None:
    data = sealed(members()).replace(b'"Main"', b'"Moin"')
    with pytest.raises(
        ObservationRefused, match=r"sha256 is [0-9a-f]{64}, expected [0-9a-f]{64}: the file was altered"
    ):
        read_observation(data)


@pytest.mark.parametrize("end", [1, 20, 100])
def test_a_file_that_was_cut_off_is_found(end: int) -> None:
    with pytest.raises(ObservationRefused, match=r"no JSON|cut off"):
        read_observation(sealed(members()).rstrip()[:-end])


FOREIGN = {
    "no JSON": (b"<html>", r"no JSON \(Expecting value"),
    "empty": (b"", "no JSON"),
    "UTF-16": ("{}".encode("utf-16"), "text in UTF-16, expected UTF-8"),
    "Latin-1": ('{"format":"Zürich"}'.encode("latin-1"), "byte 12 is not UTF-8"),
    "deep": (b"[" * 100_000, r"nested too deeply|no JSON"),
    "array": (b"[]", "JSON that is an array of 0, expected an object"),
    "NaN": (b'{"format":NaN}', "NaN is no number of JSON"),
    "another's": (b'{"format":"bicep"}', 'format: found "bicep", expected "tandem-observation": give the file'),
    "twice": (b'{"format":"a","format":"b"}', "the member 'format' appears twice"),
    "no digest": (json.dumps(members()).encode(), "no sha256 as the last member"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_observation_is_named(name: str) -> None:
    data, message = FOREIGN[name]
    with pytest.raises(ObservationRefused, match=message):
        read_observation(data)


WRONG = {
    "version": (members(version=2), "version: found 2, expected 1: use the Tandem that made the collector, or a newer"),
    "version true": (members(version=True), "version: found true, expected 1"),
    "side": (members(side="sharepoint"), 'side: found "sharepoint", expected "exchange" or "lync"'),
    "shell of the other side": (members(shell="lync-2013"), 'shell: found "lync-2013", expected one of exchange-2007'),
    "no operator": (members(by=" "), 'by: found " ", expected a string that is not empty'),
    "no forest": (members(forest=None), "forest: found nothing"),
    "time": (members(ended="28.11.2026"), 'ended: found "28.11.2026", expected a time in UTC'),
    "order": (members(ended="2026-11-28T08:00:00Z"), "ended: found .*, expected not before started"),
    "section missing": (members(objects={}), "objects: no section OrganizationConfig"),
    "section of another type": (with_objects(UMDialPlan={}), "objects.UMDialPlan: found an object of 0, expected an arr"),
    "object of another type": (with_objects(UMDialPlan=["Main"]), r'objects.UMDialPlan\[0\]: found "Main", expected an'),
    "text": (with_objects(UMDialPlan=[{"Name": 5}]), r"objects.UMDialPlan\[0\].Name: found 5, expected a string"),
    "number": (
        with_objects(UMDialPlan=[{"Name": "a", "MaxCallDuration": 1.5}]),
        r"objects.UMDialPlan\[0\].MaxCallDuration: found 1.5, expected a number",
    ),
    "flag": (
        with_objects(UMIPGateway=[{"Name": "a", "OutcallsAllowed": "yes"}]),
        r'objects.UMIPGateway\[0\].OutcallsAllowed: found "yes", expected true or false',
    ),
    "array": (
        with_objects(UMDialPlan=[{"Name": "a", "AccessTelephoneNumbers": "+1"}]),
        r'objects.UMDialPlan\[0\].AccessTelephoneNumbers: found "\+1", expected an array of strings',
    ),
    "no name": (with_objects(UMDialPlan=[{}]), r"objects.UMDialPlan\[0\].Name: found nothing, expected a value, which names"),
    "unread": (members(unread=[]), "unread: found an array of 0, expected an object"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_its_place_and_what_is_expected(name: str) -> None:
    found, message = WRONG[name]
    with pytest.raises(ObservationRefused, match=message):
        read_observation(sealed(found))


def test_a_normalization_rule_is_checked_too() -> None:
    found = members("lync")
    found["objects"]["CsDialPlan"] = [{"Identity": "Global", "NormalizationRules": [{"Name": "a", "Pattern": 4}]}]
    with pytest.raises(ObservationRefused, match=r"CsDialPlan\[0\].NormalizationRules\[0\].Pattern: found 4"):
        read_observation(sealed(found))


def test_a_file_beyond_the_bound_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sealed(members())
    monkeypatch.setattr(reading, "MOST_BYTES", len(data) - 1)
    with pytest.raises(ObservationRefused, match=f"{len(data)} bytes, expected at most {len(data) - 1}"):
        read_observation(data)


def test_there_may_be_no_pstn_usage() -> None:
    found = members("lync")
    found["objects"]["CsPstnUsage"] = [{"Usage": []}]
    assert read_observation(sealed(found)).objects["CsPstnUsage"] == ({"Usage": ()},)
