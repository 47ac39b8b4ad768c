"""Seats and answers under races, late writes and stopped processes, on both databases.

Each race has its twin, in which one safeguard is switched off and the same check must turn red.
"""

import json
import subprocess
import sys

import pytest

from tests.faults import site, stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def annotators(env, work, **arguments):
    """What the processes of tests/faults/annotators.py did."""
    order = json.dumps({"work": work, **arguments})
    env = {**env, **site.SETTINGS}
    command = [sys.executable, "-m", "tests.faults.annotators", order]
    done = subprocess.run(command, env=env, cwd=stack.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def wrong_claims(env, told, owed):
    """What is wrong with the claims that were handed out; empty when nothing is."""
    wrong = []
    seats = [seat for got in told for seat in got]
    if len(seats) != owed:
        wrong.append(f"{len(seats)} leases were handed out, not {owed}")
    if len(set(seats)) != len(seats):
        wrong.append(f"{len(seats) - len(set(seats))} seats were given to two people")
    item_of = dict(stack.rows(env, "SELECT id, round_item_id FROM annotation_assignment"))
    for got in told:
        if len({item_of[seat] for seat in got}) != len(got):
            wrong.append("someone got one sample twice")
    return wrong


def test_a25_24_annotators_get_600_seats_and_no_seat_twice(install):
    told = annotators(install, "claim_everything", items=300, people=24, overlap=2)
    assert wrong_claims(install, told, owed=600) == []
    most = (
        "SELECT COUNT(*) FROM annotation_assignment WHERE state = 'leased' GROUP BY round_item_id"
    )
    assert {count for (count,) in stack.rows(install, most)} == {2}


def test_a25_without_the_atomic_claim_that_check_turns_red(install):
    env = {**install, "SYNTHLAB_MUTATE": "claim_apart"}
    told = annotators(env, "claim_everything", items=60, people=24, overlap=2)
    assert wrong_claims(install, told, owed=120)


def test_a25_abandoned_seats_go_round_and_late_answers_are_kept(install):
    env = {**install, "SYNTHLAB_LEASE_SECONDS": "1"}
    did = annotators(env, "answer_everything", items=60, people=8, overlap=2)
    acknowledged = {pk for one in did for pk in one["acknowledged"] + one["late"]}
    stored = {pk for (pk,) in stack.rows(install, "SELECT id FROM annotation_annotation")}
    assert acknowledged == stored
    seats = """
        SELECT round_item_id, COUNT(*) FROM annotation_annotation
        WHERE assignment_id IS NOT NULL GROUP BY round_item_id"""
    assert dict(stack.rows(install, seats)) == dict.fromkeys(dict(stack.rows(install, seats)), 2)
    assert len(stack.rows(install, seats)) == 60
    doubled = """
        SELECT round_item_id FROM annotation_annotation
        GROUP BY round_item_id, annotator_id HAVING COUNT(*) > 1"""
    assert stack.rows(install, doubled) == []
    extra = "SELECT COUNT(*) FROM annotation_annotation WHERE assignment_id IS NULL AND NOT extra"
    assert stack.rows(install, extra) == [(0,)]
    counted = "SELECT SUM(done) FROM annotation_roundannotator"
    assert stack.rows(install, counted) == [(120,)]


def test_a26_fifty_clicks_at_once_are_one_answer_and_one_reply(install):
    replies = annotators(install, "click", times=50)
    assert {status for status, _ in replies} == {200}
    assert len({body for _, body in replies}) == 1
    assert stack.rows(install, "SELECT COUNT(*) FROM annotation_annotation") == [(1,)]
    assert stack.rows(install, "SELECT done FROM annotation_roundannotator") == [(1,)]


def test_a26_without_recognising_a_replay_that_check_turns_red(install):
    replies = annotators({**install, "SYNTHLAB_MUTATE": "no_replay"}, "click", times=8)
    assert {status for status, _ in replies} != {200}
    assert stack.rows(install, "SELECT COUNT(*) FROM annotation_annotation") == [(1,)]


def test_a27_of_changes_at_once_one_is_stored_and_the_others_see_both(install):
    did = annotators(install, "change", people=12)
    codes = stack.rows(install, "SELECT code FROM annotation_annotation ORDER BY id")
    assert len(codes) == 2
    (winner,) = codes[1]
    for outcome, stored, sent in did:
        assert stored == winner
        assert outcome == ("stored" if sent == winner else "conflict")


def test_a27_without_looking_for_another_change_that_check_turns_red(install):
    did = annotators({**install, "SYNTHLAB_MUTATE": "no_replay"}, "change", people=4)
    assert sorted(outcome for outcome, _, _ in did) == [
        *["refused by the database alone"] * 3,
        "stored",
    ]


def test_a31_a_stopped_annotators_late_write_changes_no_seat_and_is_kept(install):
    done = annotators({**install, "SYNTHLAB_LEASE_SECONDS": "1"}, "sleep_past_the_lease")
    assert done == {"given_on": 1, "status": 0, "changed": False}
    kept = stack.rows(install, "SELECT code, assignment_id FROM annotation_annotation")
    assert kept == [("no", None)]


def test_a31_without_the_version_that_check_turns_red(install):
    env = {**install, "SYNTHLAB_LEASE_SECONDS": "1", "SYNTHLAB_MUTATE": "no_lease_version"}
    assert annotators(env, "sleep_past_the_lease")["changed"]
