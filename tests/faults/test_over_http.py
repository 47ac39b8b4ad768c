"""The real web server: behind a proxy that ends TLS, and under many clicks at once."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx2
import pytest

from tests.faults import site, stack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

HOST = "label.example"
STRONG = "k3y-" * 5 + "abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFGHIJKLM"
PEOPLE = 'f.make_user("ada"); print(json.dumps([f.User.objects.get().username, f.PASSWORD]))'
TLS = {"X-Forwarded-Proto": "https"}
OURS = {"Origin": f"https://{HOST}"}


@pytest.fixture
def production(migrated_folder, tmp_path):
    """A production site over an install that holds one account, and its name and password."""
    shutil.copytree(migrated_folder, tmp_path, dirs_exist_ok=True)
    env = stack.environment(tmp_path)
    return env, json.loads(site.signed_in(env, PEOPLE))


def serve(env, log, **more):
    safe = {"SYNTHLAB_ENV": "production", "SYNTHLAB_HOSTS": HOST, "SYNTHLAB_SECRET_KEY": STRONG}
    return site.web({**env, **safe, **more}, log)


def sign_in(address, account, headers, token=True):
    """What a sign-in with these headers is answered, over the proxy's own connection."""
    # The first request waits until the server has imported everything.
    more = {"trust_env": False, "timeout": 60, "headers": {"Host": HOST}}
    with httpx2.Client(base_url=address, **more) as proxy:
        page = proxy.get("/sign-in/", headers=TLS)
        found = site.TOKEN.search(page.text)
        # The jar keeps Secure cookies to itself on the proxy's plain connection.
        cookie = page.headers.get("set-cookie", "").partition(";")[0]
        form = {"username": account[0], "password": account[1]}
        if token and found:
            form["csrfmiddlewaretoken"] = found[1]
        return proxy.post("/sign-in/", data=form, headers={"Cookie": cookie, **headers})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**TLS, **OURS}, 302),
        ({**TLS, "Referer": f"https://{HOST}/sign-in/"}, 302),
        ({**TLS, "Origin": "https://evil.example"}, 403),
        ({**TLS, "Origin": f"http://{HOST}"}, 403),
        ({**TLS, "Origin": f"https://{HOST}.evil.example"}, 403),
        ({**TLS, "Origin": "null"}, 403),
        ({**TLS, "Referer": "https://evil.example/"}, 403),
        ({**TLS, "HX-Request": "true"}, 403),
        ({**TLS, **OURS, "Host": "evil.example"}, 400),
        (OURS, 301),
    ],
    ids=str,
)
def test_a06_behind_a_tls_proxy_only_our_own_origin_may_post(
    production, tmp_path_factory, headers, status
):
    env, account = production
    log = tmp_path_factory.mktemp("log") / "web"
    with serve(env, log, SYNTHLAB_BEHIND_TLS_PROXY="yes") as address:
        answer = sign_in(address, account, headers)
        assert answer.status_code == status
        assert ("__Host-sessionid" in answer.headers.get("set-cookie", "")) == (status == 302)
        if status == 302:
            assert sign_in(address, account, headers, token=False).status_code == 403


def test_a06_without_a_proxy_nobody_is_believed_to_have_spoken_tls(production, tmp_path_factory):
    env, account = production
    with serve(env, tmp_path_factory.mktemp("log") / "web") as address:
        answer = sign_in(address, account, {**TLS, **OURS})
    assert (answer.status_code, answer.headers["location"]) == (301, f"https://{HOST}/sign-in/")


REVIEW = """
project = f.make_project()
user = f.make_annotator(project)
round_ = f.make_round(project, ["one", "two", "three"], [user])
print(json.dumps([round_.pk, session(user)]))
"""


def clicks(env, log, times):
    """The first sample's form sent so often at once; each gives the status and the reply."""
    round_id, session = json.loads(site.signed_in(env, REVIEW))
    with site.web(env, log) as address, site.Browser(address, session) as browser:
        page = browser.get(f"/rounds/{round_id}/review/").text
        inside = page.partition('<form id="answer"')[2].partition("</form>")[0]
        form = dict(site.HIDDEN.findall(inside)) | {"slugs": "yes"}
        path = inside.partition('action="')[2].partition('"')[0]
        together = Barrier(times)

        def click(_):
            together.wait(30)
            reply = browser.post(path, data=form, headers={"HX-Request": "true"})
            return reply.status_code, reply.text

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(click, range(times)))


def test_a26_fifty_clicks_over_http_are_one_answer_and_one_reply(install, tmp_path_factory):
    replies = clicks(install, tmp_path_factory.mktemp("log") / "web", 50)
    assert {status for status, _ in replies} == {200}
    assert len({text for _, text in replies}) == 1
    assert stack.rows(install, "SELECT COUNT(*) FROM annotation_annotation") == [(1,)]
    held = "SELECT COUNT(*) FROM annotation_assignment WHERE state = 'leased'"
    assert stack.rows(install, held) == [(2,)]


def test_a26_without_recognising_a_replay_those_clicks_are_told_apart(install, tmp_path_factory):
    env = {**install, "SYNTHLAB_MUTATE": "no_replay"}
    replies = clicks(env, tmp_path_factory.mktemp("log") / "web", 8)
    assert {status for status, _ in replies} != {200}
