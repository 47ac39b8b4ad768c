"""Many annotators at once, each a process of its own: `python -m tests.faults.annotators ORDER`.

ORDER is JSON: {"work": name of a function below, and its arguments}. What every process did is
printed as JSON; the test judges it together with the database.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time

import django

django.setup()

from django.db import IntegrityError, connections  # noqa: E402
from django.test import Client  # noqa: E402

from annotation.actions import claims  # noqa: E402
from annotation.actions.review import (  # noqa: E402
    Answer,
    Conflict,
    client_key,
    record_answer,
    revise,
)
from annotation.models import Assignment  # noqa: E402
from tests import factories  # noqa: E402


def make(items, people, overlap):
    project = factories.make_project()
    users = [factories.make_annotator(project) for _ in range(people)]
    texts = [f"text {n}" for n in range(items)]
    return factories.make_round(project, texts, users, overlap=overlap), users


def all_at_once(work, arguments):
    """Run work(argument) in one process each, begun together; gives what each returned."""
    connections.close_all()
    start = time.time() + 0.5
    children = []
    for argument in arguments:
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            time.sleep(max(0, start - time.time()))
            with os.fdopen(writer, "w") as pipe:
                json.dump(work(argument), pipe)
            os._exit(0)
        os.close(writer)
        children.append(reader)
    return [json.load(os.fdopen(reader)) for reader in children]


def answer_of(seat, user, slug):
    key = client_key(user.pk, "assignment", seat.pk, seat.version)
    return Answer({"label": slug}, slug, key, version=seat.version)


def claim_everything(items, people, overlap):
    """Everyone leases until nothing is left; each gives the seats that it was told are its."""
    round_, users = make(items, people, overlap)

    def work(user):
        got, empty = [], 0
        while empty < 5:  # a row that someone locks right now is skipped: look again, as people do
            seat = claims.claim(round_, user, most=items)
            empty = 0 if seat else empty + 1
            if seat:
                got.append(seat)
            else:
                time.sleep(0.05)
        return got

    return all_at_once(work, users)


def answer_everything(items, people, overlap):
    """Everyone answers until nothing is left. Some seats are abandoned, and answered too late."""
    round_, users = make(items, people, overlap)

    def work(user):
        rng, acknowledged, abandoned, empty = random.Random(user.pk), [], [], 0
        while empty < 40:
            held = claims.leases(round_, user)
            if not held:
                empty += 1
                time.sleep(0.1)
            elif rng.random() < 0.1:
                abandoned += held
                time.sleep(1.2)  # longer than the lease
                claims.sweep(round_, factories.User(pk=0))
            else:
                acknowledged.append(record(held[0], user))
        late = [record(seat, user) for seat in abandoned]
        return {"acknowledged": acknowledged, "late": late}

    def record(seat, user):
        seat.round = round_
        seat.suggestion_id = None
        return record_answer(seat, user, answer_of(seat, user, "yes")).pk

    return all_at_once(work, users)


def click(times):
    """One form sent many times at once; each gives the status and a hash of the reply."""
    round_, (user,) = make(3, 1, 1)
    seat = claims.leases(round_, user)[0]
    client = Client(headers={"host": "localhost", "hx-request": "true"})
    client.force_login(user)
    client.raise_request_exception = False
    key = client_key(user.pk, "assignment", seat.pk, seat.version)
    client.get(f"/rounds/{round_.pk}/review/?assignment={seat.pk}")  # warm what the children share
    form = {"client_key": str(key), "version": seat.version, "slugs": "yes"}

    def work(_):
        reply = client.post(f"/assignments/{seat.pk}/", form)
        return [reply.status_code, hashlib.sha256(reply.content).hexdigest()]

    return all_at_once(work, range(times))


def change(people):
    """One answer changed from many tabs at once, each to something else or the same."""
    round_, (user,) = make(1, 1, 1)
    seat = Assignment.objects.select_related("round", "round_item").with_suggestion()
    seat = seat.get(pk=claims.leases(round_, user)[0].pk)
    first = record_answer(seat, user, answer_of(seat, user, "yes"))
    key = client_key(user.pk, "annotation", first.pk)

    def work(n):
        slug = ("yes", "no")[n % 2]
        try:
            stored = revise(first, user, Answer({"label": slug}, slug, key))
        except Conflict as conflict:
            return ["conflict", conflict.stored.code, conflict.sent.code]
        except IntegrityError:
            return ["refused by the database alone", "", slug]
        return ["stored", stored.code, slug]

    return all_at_once(work, range(people))


def sleep_past_the_lease():
    """The first annotator is stopped until their seat is another's; then they answer."""
    round_, (sleeper, other) = make(1, 2, 1)
    connections.close_all()
    child = os.fork()
    if child == 0:
        seat = claims.leases(round_, sleeper)[0]
        seat.round, seat.suggestion_id = round_, None
        os.kill(os.getpid(), signal.SIGSTOP)
        record_answer(seat, sleeper, answer_of(seat, sleeper, "no"))
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    time.sleep(1.2)
    held = claims.leases(round_, other)
    before = Assignment.objects.values().get()
    connections.close_all()
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    after = Assignment.objects.values().get()
    return {"given_on": len(held), "status": status, "changed": before != after}


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    print(json.dumps(globals()[order.pop("work")](**order)))
