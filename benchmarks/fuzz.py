"""Feed `validate` broken manifests: `python benchmarks/fuzz.py [--inputs N] [--seed S]`.

Trees of the corpus with parts removed, replaced, repeated or renamed; their texts with characters
and lines changed; YAML tokens and bytes at random. Nothing may raise, take 2 seconds or 512 MiB,
point outside the text, or name a rule without a page. A failing input is written to a file, and
its number and seed are printed: the same seed and number give the same input.
"""

from __future__ import annotations

import argparse
import collections
import copy
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.corpus import packages, wrapped
from benchmarks.families import FAMILIES

MAX_SECONDS = 2.0
MAX_MEBIBYTES = 512
HANG_SECONDS = 30
MANY_CHARACTERS = 100_000
TARGETS = ("2.14", "2.14.3", "2.15", "2.16", "2.17", "kep", "portable")
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 8, 1.5, 1e300, 2**31, 2**63, 2**64, -(2**63), "", " ", "08", "y",
    "null", "~", "a" * 300, "é", "\x00", "\x7f", "\ud7ff", "{{$.inputs.parameters['x']}}", "<<", "=",
    "3600s", "NaN", "2.1.0", [], [None], [[]], {}, {"": None}, {"<<": {}}, {"name": {}}, "STRING",
)  # fmt: skip
TOKENS = (
    "a", "kind", "Pipeline", "apiVersion", "metadata", ":", ": ", "- ", "? ", "&a", "*a", "<<: *a",
    "!!str", "!!binary", "!!int", "!x", "|", ">", "|2-", "'", '"', "{", "}", "[", "]", ",", "#", " #",
    "\n", "\n  ", "\n    ", "\t", "---\n", "...\n", "%YAML 1.1\n", "\ufeff", "\r\n", "\x85", "\u2028",
    "08", "1e3", "y", "~", ".nan", ".inf", "0o17", "\\u0041", "\\x", "é", "😀", "\x00", "@", "`", "%",
)  # fmt: skip


@dataclass
class Tally:
    """What a run of inputs came to."""

    inputs: int = 0
    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    rules: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    mebibytes: float = 0.0

    def add(self, other: Tally) -> None:
        """Take in another run."""
        self.inputs += other.inputs
        self.outcomes += other.outcomes
        self.rules |= other.rules
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        self.mebibytes = max(self.mebibytes, other.mebibytes)


@cache
def bases() -> list[list[Any]]:
    """Return the objects of the corpus, the smaller ones more often, so that more can be tried."""
    all_objects = [wrapped(*package) for package in packages()]
    all_objects.sort(key=lambda objects: len(json.dumps(objects)))
    return all_objects[:30] * 3 + all_objects


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every container of a tree with each of its keys or indexes."""
    found: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        each = stack.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each))
        for key in keys:
            found.append((each, key))
            if isinstance(each[key], (dict, list)):
                stack.append(each[key])
    return found


def mutate_tree(rng: random.Random, tree: Any) -> None:
    """Change one place of a tree."""
    container, key = rng.choice(places(tree))
    others = places(tree)
    action = rng.randrange(7)
    if action == 0:
        del container[key]
    elif action == 1:
        container[key] = odd(rng)
    elif action == 2:
        source, name = rng.choice(others)
        container[key] = copy.deepcopy(source[name])
    elif action == 3 and isinstance(container, dict):
        renamed = rng.choice([str(each) for _, each in rng.sample(others, 1)] + ["bogus", "y", "8"])
        container[renamed] = container.pop(key)
    elif action == 4 and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    elif action == 5:
        container[key] = [container[key]] if rng.random() < 0.5 else {"a": container[key]}
    else:
        value = container[key]
        if isinstance(value, str) and value:
            cut = rng.randrange(len(value))
            container[key] = value[:cut] + rng.choice(TOKENS) + value[cut:]
        else:
            container[key] = odd(rng)


def odd(rng: random.Random) -> Any:
    """Return a value of its own that somebody might write by mistake."""
    return copy.deepcopy(rng.choice(ODD))


def mutate_text(rng: random.Random, text: str) -> str:
    """Change some characters or lines of a text."""
    for _ in range(rng.randint(1, 6)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 0, 1, 2, 10, 200)))
        action = rng.randrange(4)
        if action == 0:
            text = text[:start] + rng.choice(TOKENS) + text[end:]
        elif action == 1:
            text = text[:start] + text[end:]
        elif action == 2:
            text = text[:start] + text[start:end] * rng.choice((2, 3, 50)) + text[end:]
        else:
            lines = text.split("\n")
            line = rng.randrange(len(lines))
            lines[line] = " " * rng.randrange(6) + lines[line].lstrip(" ")
            text = "\n".join(lines)
    return text


def special(rng: random.Random) -> str | bytes:
    """Return an input made to be hard: bombs, depth, width, and the families that are measured."""
    if rng.random() < 0.5:
        family = FAMILIES[rng.choice(sorted(FAMILIES))]
        return family(rng.choice((1_000, 1_000, 1_000, 30_000, 30_000, 300_000)))
    size = rng.choice((10, 300, 5_000, 50_000))
    return rng.choice(
        (
            lambda: "a: " + "[" * size + "]" * rng.choice((0, size)),
            lambda: "{" * size,
            lambda: "- " * size + "a",
            lambda: "? " * size + "a",
            lambda: '{"a":' * size + "1" + "}" * size,
            lambda: (
                "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
                + "".join(
                    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n"
                    for n in range(9)
                )
            ),
            lambda: "".join(f"k{n}: {n}\n" for n in range(size)),
            lambda: "---\n" * size,
            lambda: "a: '" + "x" * size,
            lambda: "a: |\n" + "  x\n" * size,
            lambda: bytes(rng.randrange(256) for _ in range(min(size, 3000))),
        )
    )()


def make_input(rng: random.Random) -> str | bytes:
    """Return one input."""
    from kfp_k8s_manifest.yaml import DocumentError, dump_all

    kind = rng.random()
    if kind < 0.03:
        return special(rng)
    if kind < 0.15:
        return "".join(rng.choice(TOKENS) for _ in range(rng.randint(1, 60)))
    objects: Any = copy.deepcopy(rng.choice(bases()))
    if kind < 0.8:
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            if objects:
                mutate_tree(rng, objects)
        if rng.random() < 0.5:
            try:
                return dump_all(objects)
            except DocumentError:
                pass
        return "\n".join(json.dumps(each) for each in objects)
    text = mutate_text(rng, dump_all(objects))
    return text if rng.random() < 0.9 else text.encode("utf-8", "surrogatepass")[:-1] + b"\xff"


def check(rng: random.Random, text: str | bytes, tally: Tally) -> None:
    """Validate one input, and look at what comes out."""
    from kfp_k8s_manifest.render import render
    from kfp_k8s_manifest.validation.files import validate_text

    # Processor time: others may be at work on the same machine. A hang is caught by the alarm.
    start = time.process_time()
    report = validate_text(text, target=rng.choice(TARGETS), assume_pipelines=rng.random() < 0.5)
    seconds = time.process_time() - start
    tally.slowest = max(tally.slowest, seconds)
    if seconds > MAX_SECONDS:
        raise AssertionError(f"it took {seconds:.1f} s")
    kind = "valid" if report.ok() else "invalid"
    if {"yaml-invalid", "yaml-limit"} & {each.rule for each in report.findings}:
        kind = "not YAML"
    tally.outcomes[kind] += 1
    lines = len(text if isinstance(text, bytes) else text.encode("utf-8", "replace")) + 1
    for finding in report.findings:
        tally.rules.add(finding.rule)
        if finding.line is not None and not 1 <= finding.line <= lines:
            raise AssertionError(f"{finding.rule} points at line {finding.line}")
    if rng.random() < 0.1 or len(text) > MANY_CHARACTERS:
        start = time.process_time()
        for name in ("text", "json", "github", "junit", "sarif"):
            render(report, name).encode("utf-8", "backslashreplace")
        seconds = time.process_time() - start
        if seconds > MAX_SECONDS:
            raise AssertionError(f"five reports took {seconds:.1f} s")


def run(seed: int, numbers: range) -> Tally:
    """Try the inputs of some numbers."""
    tally = Tally()

    def hang(*_: Any) -> None:
        raise AssertionError(f"it did not end within {HANG_SECONDS} s")

    signal.signal(signal.SIGALRM, hang)
    for number in numbers:
        rng = random.Random(f"{seed}/{number}")
        text = make_input(rng)
        tally.inputs += 1
        signal.alarm(HANG_SECONDS)
        try:
            check(rng, text, tally)
        except Exception:  # noqa: BLE001 (this is what is looked for)
            path = Path(f"fuzz-{seed}-{number}.txt")
            data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            path.write_bytes(data)
            last = traceback.format_exc().strip().splitlines()
            tally.failures.append(
                f"input {number} of seed {seed} ({path}): " + " | ".join(last[-5:])
            )
        finally:
            signal.alarm(0)
    tally.mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if tally.mebibytes > MAX_MEBIBYTES:
        tally.failures.append(f"{tally.mebibytes:.0f} MiB were used, more than {MAX_MEBIBYTES}")
    return tally


def main() -> int:
    """Try all inputs; print what came of them; return 1 where something failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    started = time.perf_counter()
    total = Tally()
    chunk = max(1, min(1000, options.inputs // options.jobs))
    ranges = [
        range(start, min(start + chunk, options.inputs))
        for start in range(0, options.inputs, chunk)
    ]
    with ProcessPoolExecutor(options.jobs) as pool:
        for tally in pool.map(run, [options.seed] * len(ranges), ranges):
            total.add(tally)
    from kfp_k8s_manifest.checks.registry import RULES

    unknown = sorted(total.rules - RULES.keys())
    total.failures += [f"rule {name} is not registered" for name in unknown]
    for failure in total.failures[:20]:
        print(failure)
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(total.outcomes.items()))
    print(
        f"{total.inputs:,} inputs of seed {options.seed} ({kinds}) in"
        f" {time.perf_counter() - started:.0f} s: {len(total.failures)} failures;"
        f" {len(total.rules)} of {len(RULES)} rules met; slowest {total.slowest:.2f} s (at most"
        f" {MAX_SECONDS:g}), memory {total.mebibytes:.0f} MiB (at most {MAX_MEBIBYTES})"
    )
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
