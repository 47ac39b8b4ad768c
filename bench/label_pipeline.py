"""The label pipeline against an endpoint of 200 ms, as a ratio to the ideal rate.

    python -m bench.label_pipeline [--samples 5000] [--concurrency 32] [--profile]

The scripted server runs as a process of its own. The ideal is `concurrency / latency` requests a
second; CPU time is this process's own, for each call. SQLite writes with synchronous=FULL.
"""

import argparse
import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

REPLY = '[{"replies": [{"text": "A", "logprobs": [[["A", -0.1], ["B", -2.4]]], "latency": %s}]}]'


@contextmanager
def server(latency):
    rules = REPLY % latency
    command = [sys.executable, "-m", "tests.openai_server", "--rules", rules]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()


def prepared(base_url, samples, concurrency):
    """A run over new samples in an install of its own."""
    call_command("migrate", verbosity=0)
    project = factories.make_project()
    codebook = factories.make_codebook(project)
    Sample.objects.bulk_create(
        Sample(
            project=project,
            fields={"text": text},
            text=text,
            content_hash=content_hash({"text": text}),
        )
        for text in (f"Sample {n} says something of its own." for n in range(samples))
    )
    AllowedHost.objects.create(host="127.0.0.1")
    connection = factories.make_connection(
        base_url, concurrency=concurrency, price_in=100_000, price_out=400_000,
        capabilities={"chat": True, "logprobs": True, "system_role": True},
    )  # fmt: skip
    run, _new = runs.start_run(
        connection, techniques.make("logprobs", {}), codebook, cap_cost=10_000_000_000
    )
    runs.plan(run.pk)
    return run


def bare_rate(run, samples):
    """Calls a second that the client alone reaches here, without ledger and database."""
    step = techniques.make("logprobs", {}).steps(
        run.machine.codebook.rules(), run.project.task, {"text": "Sample"}, 0
    )[0]
    request = step.request("test-model", Capabilities())
    client = connections.client_maker(run.connection)
    with Wire(client, Limits(most=run.connection.concurrency)) as wire:
        started, received = time.monotonic(), 0
        wire.send(Ask(number, request) for number in range(samples))
        while received < samples:
            received += len(wire.received(0.05))
        return samples / (time.monotonic() - started)


def measure(run):
    started, cpu = time.monotonic(), time.process_time()
    while work.work_on(run.pk):
        run.refresh_from_db()
        if run.is_over:
            break
    return time.monotonic() - started, time.process_time() - cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--profile", action="store_true", help="where the CPU time goes")
    options = parser.parse_args()
    with server(options.latency) as base_url:
        run = prepared(base_url, options.samples, options.concurrency)
        bare = bare_rate(run, options.samples // 5)
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        seconds, cpu = measure(run)
        profile.disable()
    run.refresh_from_db()
    rate, ideal = options.samples / seconds, options.concurrency / options.latency
    print(f"state {run.state}, {run.machine.suggestions.count()} suggestions")
    latency = run.calls.aggregate(mean=Avg("latency_ms"))["mean"]
    print(f"a call took {latency:.0f} ms as the worker saw it")
    print(f"rate {rate:.1f} of {ideal:.1f} calls/s: {rate / ideal:.1%} of the ideal (goal 90 %)")
    print(f"{rate / bare:.1%} of the {bare:.1f} calls/s that the client alone reaches here")
    print(f"CPU {1000 * cpu / options.samples:.2f} ms a call (goal < 5 ms)")
    if options.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(35)


if __name__ == "__main__":
    os.environ.setdefault("SYNTHLAB_DATA_DIR", tempfile.mkdtemp(prefix="synthlab-bench-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synthlab.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db.models import Avg

    from annotation.models import Sample
    from generation import techniques
    from generation.actions import connections, runs, work
    from generation.llm.base import Capabilities
    from generation.llm.limits import Limits
    from generation.llm.wire import Ask, Wire
    from generation.models import AllowedHost
    from synthlab.science.text import content_hash
    from tests import factories

    main()
