"""Asks with one token after the other, since each may ask ten times a second, and counts the answers.

The same key for something else is refused, and few keys are made up: of the requests with one, half are sent without."""

import itertools
import json
import os

import schemathesis

TOKENS = itertools.cycle(os.environ["WEGRAF_TOKENS"].split())
COUNTS = {}
CALLS = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers = case.headers or {}
    case.headers["Authorization"] = "Bearer " + next(TOKENS)
    if next(CALLS) % 2:
        case.headers.pop("Idempotency-Key", None)


@schemathesis.hook
def after_call(context, case, response):
    answers = COUNTS.setdefault(case.operation.label, {})
    answers[response.status_code] = answers.get(response.status_code, 0) + 1
    with open(os.environ["WEGRAF_COUNTS"], "w") as file:
        json.dump(COUNTS, file)
