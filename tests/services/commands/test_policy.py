"""Argument policies and rules: values that say what may be run, and refuse what makes no sense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.errors import BadArgumentError
from suptree.services import (
    ALLOWED_COMMANDS,
    AnyArguments,
    ArgumentPatterns,
    ArgumentsNotAllowedError,
    CommandLimits,
    CommandRule,
    ExactArguments,
    Secret,
)
from suptree.services.commands.spec import Command, make_command
from suptree.services.commands.words import redacted


@pytest.mark.parametrize(
    ("policy", "args", "allowed"),
    [
        (ExactArguments(), (), True),
        (ExactArguments(), ("-p",), False),
        (ExactArguments((), ("-p",)), ("-p",), True),
        (ExactArguments(("-a", "-b")), ("-b", "-a"), False),
        (ArgumentPatterns("-[ah]+"), ("-ah", "-h"), True),
        (ArgumentPatterns("-[ah]+"), ("-ahx",), False),
        (ArgumentPatterns("-[ah]+"), ("-a\n",), False),
        (ArgumentPatterns("x", most=1), ("x", "x"), False),
        (AnyArguments(most=2), ("; rm", "$(x)"), True),
        (AnyArguments(most=2), ("1", "2", "3"), False),
    ],
)
def test_a_policy_allows_what_it_says_and_nothing_else(policy, args, allowed):
    assert policy.allows(args) is allowed


@pytest.mark.parametrize(
    ("command", "args", "allowed"),
    [
        ("uptime", (), True),
        ("uptime", ("-p",), True),
        ("uptime", ("/etc/passwd",), False),
        ("df", ("-h", "/"), True),
        ("df", ("-h", "relative"), False),
        ("df", ("--sync",), False),
        ("ps", ("aux",), True),
        ("ps", ("-eo", "pid,comm,rss"), True),
        ("ps", ("--sort=-rss",), True),
        ("ps", ("e",), False),
        ("ps", ("auxe",), False),
        ("ps", ("axe",), False),
        ("ps", ("-eo", "pid,environ"), False),
        ("free", ("-m",), True),
        ("free", ("-s", "1"), False),
        ("vmstat", ("1", "3"), True),
        ("iostat", ("-o", "JSON"), True),
        ("iostat", ("-f", "/tmp"), False),
    ],
)
def test_what_is_allowed_by_default_only_looks_and_shows_no_environment(command, args, allowed):
    assert ALLOWED_COMMANDS[command].arguments.allows(args) is allowed


def test_six_commands_are_allowed_by_default():
    assert sorted(ALLOWED_COMMANDS) == ["df", "free", "iostat", "ps", "uptime", "vmstat"]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ExactArguments("-p"), "each list must be a tuple of strings"),
        (lambda: ArgumentPatterns(), "at least one"),
        (lambda: ArgumentPatterns("("), "regular expressions"),
        (lambda: ArgumentPatterns("x", most=-1), "0 or more"),
        (lambda: AnyArguments(most="3"), "whole number"),
        (lambda: CommandRule(arguments=["-p"]), "arguments must be ExactArguments"),
        (lambda: CommandRule(path="bin/ls"), "path must be an absolute path"),
        (lambda: CommandRule(cwd="."), "cwd must be an absolute path"),
        (lambda: CommandRule(env={"A B": "x"}), "must be a word"),
        (lambda: CommandRule(env={"A": 1}), "must be strings without NUL"),
        (lambda: CommandRule(env_from_caller="A"), "must be a list"),
        (lambda: CommandRule(stdin="yes"), "stdin must be a bool"),
        (lambda: CommandRule(limits=5), "limits must be CommandLimits"),
        (lambda: CommandRule(max_output=-1), "0 or more"),
        (lambda: CommandRule(overflow="ignore"), "'truncate' or 'kill'"),
        (lambda: CommandRule(grace=-1), "0 or more"),
        (lambda: CommandRule(cache_ttl=float("nan")), "finite number"),
        (lambda: CommandLimits(cpu_s=0), "1 or more"),
        (lambda: CommandLimits(memory_bytes=12), "1048576 or more"),
        (lambda: CommandLimits(nice=20), "19 or less"),
        (lambda: CommandLimits(nice=-1), "0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused_and_told(make, match):
    with pytest.raises(BadArgumentError, match=match):
        make()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"name": ""}, "name must be a text"),
        ({"name": 3}, "name must be a text"),
        ({"name": "a\0b"}, "without NUL"),
        ({"args": "-h /var"}, "no shell that would split it"),
        ({"args": [1]}, "args must be strings"),
        ({"args": ["a\0b"]}, "without NUL"),
        ({"args": ["x" * 200_000]}, "131072 characters together at most"),
        ({"stdin": "text"}, "stdin must be bytes"),
        ({"env": ["A"]}, "env must be a mapping"),
        ({"env": {"A=B": "x"}}, "must be a word"),
    ],
)
def test_what_could_be_no_command_is_refused_before_anybody_is_asked(change, match):
    asked: dict[str, Any] = {"name": "ls", "args": [], "stdin": None, "env": None, **change}

    with pytest.raises(BadArgumentError, match=match):
        make_command("execute", **asked)


def test_a_rule_says_what_it_does_not_allow_and_what_it_would():
    rule = CommandRule(arguments=ExactArguments(("-p",)), env_from_caller=("LANG",))

    with pytest.raises(
        ArgumentsNotAllowedError, match="arguments must be exactly '-p'; got"
    ) as one:
        rule.check(Command("uptime", ("-x", Secret("hunter2"))))
    with pytest.raises(ArgumentsNotAllowedError, match="variables must be LANG; got"):
        rule.check(Command("uptime", ("-p",), env=(("LD_PRELOAD", "x"),)))
    with pytest.raises(ArgumentsNotAllowedError, match="stdin must be nothing to read"):
        rule.check(Command("uptime", ("-p",), b"secret text"))

    assert "hunter2" not in str(one.value)
    assert one.value.given == ("-x", "***")


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (("-h", "/"), ("-h", "/")),
        ((Secret("x"), "y"), ("***", "y")),
        (("--password=hunter2",), ("--password=***",)),
        (("--api-key", "hunter2", "z"), ("--api-key", "***", "z")),
        (("--token", "-v"), ("--token", "-v")),
        (("--db-password=x=y",), ("--db-password=***",)),
    ],
)
def test_secrets_are_shown_to_nobody(args, shown):
    assert redacted(args) == shown
    command = Command("curl", args, b"x", (("KEY", Secret("x")),))
    assert "hunter2" not in repr(command) + str(command)


@given(some.lists(some.text(some.characters(blacklist_characters="\0"), max_size=20), max_size=5))
def test_equal_commands_are_equal_values_and_reach_the_program_as_they_were_given(args):
    one = make_command("execute", "echo", args, None, {"B": "2", "A": "1"})
    other = make_command("execute", "echo", tuple(args), None, {"A": "1", "B": "2"})

    assert one == other
    assert hash(one) == hash(other)
    assert CommandRule().request(one)["argv"] == ["echo", *args]


def test_the_environment_is_what_the_rule_and_the_caller_say_and_no_more():
    rule = CommandRule(env={"TOKEN": Secret("x")}, env_from_caller=("LANG",))

    env = rule.request(Command("ls", env=(("LANG", "C"),)))["env"]

    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert env == {"PATH": path, "LANG": "C", "TOKEN": "x"}
