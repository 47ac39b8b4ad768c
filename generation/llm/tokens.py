"""Token counts and money without asking anybody: estimates for before a call, prices for after."""

import re
from collections.abc import Iterable

from generation.llm.base import AnyRequest, Message

MILLION = 1_000_000
PER_MESSAGE = 4  # role and separators of the chat format
# Scripts written without spaces, or with syllable blocks: about one token for each character.
WIDE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)


def estimate(text: str) -> int:
    """About how many tokens a text has: one for each wide character, for two of other scripts and
    for four of ASCII, plus a tenth."""
    if text.isascii():
        quarters = len(text)
    else:
        wide = len(WIDE.findall(text))
        ascii_ = len(text.encode("ascii", "ignore"))
        quarters = 4 * wide + ascii_ + 2 * (len(text) - wide - ascii_)
    return -(-quarters * 11 // 40)


def estimate_messages(messages: Iterable[Message]) -> int:
    return sum(estimate(message.content) + PER_MESSAGE for message in messages)


def estimate_prompt(request: AnyRequest) -> int:
    """About how many prompt tokens a request has, with the schema it carries."""
    schema = estimate(str(request.response_format)) if request.response_format else 0
    return estimate_messages(request.messages) + schema


def cost(tokens_in: int, tokens_out: int, price_in: int, price_out: int) -> int:
    """Micro-units of money, rounded up; prices are micro-units for a million tokens."""
    return -(-(tokens_in * price_in + tokens_out * price_out) // MILLION)


def worst_cost(request: AnyRequest, price_in: int, price_out: int) -> int:
    """What to reserve before a request is sent: its estimated prompt and all of `max_tokens`."""
    return cost(estimate_prompt(request), request.max_tokens, price_in, price_out)
