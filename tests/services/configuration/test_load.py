"""Reading a configuration: what wins, what is refused, and what is said about it."""

from __future__ import annotations

import enum
import math
import pathlib
from datetime import date, timedelta
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from suptree.services.configuration import (
    ABSENT,
    Configuration,
    ConfigurationInvalidError,
    ConfigurationSchemaError,
    Fixed,
    Problem,
    UnknownSectionError,
    check_configuration,
    diff_configurations,
    load_configuration,
)
from suptree.services.parts.secret import Secret


class Mode(enum.Enum):
    FAST = "fast"
    SAFE = "safe"


class Scheduler(msgspec.Struct, frozen=True):
    tick: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    workers: Fixed[int] = 4
    hosts: tuple[str, ...] = ()
    mode: Mode = Mode.SAFE
    level: Literal["low", "high"] = "low"


class Pool(msgspec.Struct, frozen=True):
    size: int = 3
    least: int = 0

    def __post_init__(self) -> None:
        if self.least > self.size:
            raise ValueError(f"least must be at most size; got {self.least} and {self.size}.")


class Tls(msgspec.Struct, frozen=True):
    cert: pathlib.Path
    key: Secret[str] = Secret("default key")


class Settings(msgspec.Struct, frozen=True):
    name: str = "app"
    scheduler: Scheduler = Scheduler(workers=7)
    tls: Tls | None = None
    pools: dict[str, Pool] = {}
    rules: tuple[Pool, ...] = ()
    limits: dict[str, int] = {}


def read(text: str | None = None, tmp: pathlib.Path | None = None, **options: Any) -> Any:
    options.setdefault("environ", {})
    return load_configuration(Settings, file=written(text, tmp), **options)


def problems(
    text: str | None = None, tmp: pathlib.Path | None = None, **options: Any
) -> tuple[Problem, ...]:
    options.setdefault("environ", {})
    return check_configuration(Settings, file=written(text, tmp), **options)


def written(text: str | None, tmp: pathlib.Path | None) -> pathlib.Path | None:
    if text is None:
        return None
    assert tmp is not None
    (tmp / "app.toml").write_text(text)
    return tmp / "app.toml"


# -- what wins ---------------------------------------------------------------------------


def test_later_sources_win_over_earlier_ones_and_each_value_knows_its_source(tmp_path):
    configuration = read(
        '[scheduler]\ntick = 1\nlevel = "high"\nmode = "fast"\n',
        tmp_path,
        environ={"SUPTREE_SCHEDULER__LEVEL": "low", "SUPTREE_SCHEDULER__MODE": "safe"},
        overrides={"scheduler.mode": "fast"},
    )

    scheduler = configuration.value.scheduler
    assert (scheduler.workers, scheduler.tick, scheduler.level, scheduler.mode) == (
        *(7, 1.0, "low"),
        Mode.FAST,
    )
    assert [
        str(configuration.entries[f"scheduler.{name}"].source)
        for name in ("workers", "tick", "level", "mode")
    ] == ["default", f"{tmp_path / 'app.toml'}:2", "SUPTREE_SCHEDULER__LEVEL", "code"]


def test_a_section_that_is_set_in_part_keeps_the_rest_of_its_default():
    assert read(overrides={"scheduler.tick": 2}).value.scheduler == Scheduler(tick=2.0, workers=7)


def test_an_optional_section_is_none_until_a_source_names_it():
    assert read().value.tls is None

    tls = read(environ={"SUPTREE_TLS__CERT": "/c.pem"}).value.tls

    assert tls == Tls(pathlib.Path("/c.pem"), Secret("default key"))


def test_code_can_take_an_optional_section_away_again(tmp_path):
    text = '[tls]\ncert = "/c.pem"\n'

    assert read(text, tmp_path).value.tls is not None
    assert read(text, tmp_path, overrides={"tls": None}).value.tls is None


def test_named_sections_merge_by_name_and_an_empty_one_is_there(tmp_path):
    configuration = read(
        "[pools.http]\nleast = 1\n[pools.bare]\n",
        tmp_path,
        environ={"SUPTREE_POOLS__HTTP__SIZE": "8"},
    )

    assert configuration.value.pools == {"http": Pool(8, 1), "bare": Pool()}


class HasNames(msgspec.Struct, frozen=True):
    pools: dict[str, Pool] = msgspec.field(default_factory=lambda: {"Main": Pool(7, 2)})


@pytest.mark.parametrize(
    ("variable", "name"), [("MAIN", "Main"), ("HTTP", "Http"), ("OTHER", "other")]
)
def test_a_variable_means_a_section_by_its_name_in_whatever_letters(tmp_path, variable, name):
    (tmp_path / "a.toml").write_text("[pools.Http]\nleast = 1\n")
    environ = {f"SUPTREE_POOLS__{variable}__SIZE": "8"}

    pools = load_configuration(HasNames, file=tmp_path / "a.toml", environ=environ).value.pools

    assert pools[name].size == 8
    assert len(pools) == len({key.casefold() for key in pools})
    assert pools["Main"].least == 2


def test_a_list_of_sections_is_replaced_as_a_whole(tmp_path):
    text = "[[rules]]\nsize = 1\n[[rules]]\nsize = 2\n"

    assert read(text, tmp_path).value.rules == (Pool(1), Pool(2))
    assert read(text, tmp_path, overrides={"rules": [{"size": 9}]}).value.rules == (Pool(9),)
    environ = {"SUPTREE_RULES": '[{"size": 5}, {}]'}
    assert read(text, tmp_path, environ=environ).value.rules == (Pool(5), Pool())


def test_code_may_give_structs_and_then_each_field_counts_as_said(tmp_path):
    configuration = read(
        "[scheduler]\ntick = 9\n", tmp_path, overrides={"scheduler": Scheduler(tick=2.0)}
    )

    assert configuration.value.scheduler == Scheduler(tick=2.0)
    assert str(configuration.entries["scheduler.workers"].source) == "code"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "5", 5),
        (float, "0.5", 0.5),
        (bool, "true", True),
        (bool, "0", False),
        (str, "5", "5"),
        (int | None, "5", 5),
        (list[int], "[1, 2]", [1, 2]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (date, "2024-02-29", date(2024, 2, 29)),
        (timedelta, "PT5S", timedelta(seconds=5)),
        (pathlib.Path, "/tmp", pathlib.Path("/tmp")),
        (Secret[int], "5", Secret(5)),
        (tuple[Secret[str], ...], '["a"]', (Secret("a"),)),
    ],
)
def test_the_text_of_a_variable_becomes_the_type_of_its_setting(kind, text, value):
    schema = msgspec.defstruct("Schema", [("x", kind)], frozen=True)

    assert load_configuration(schema, environ={"SUPTREE_X": text}).value.x == value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "five"),
        (int, ""),
        (bool, "yes"),
        (float, "nan"),
        (list[int], "1,2"),
        (list[int], "[1,"),
    ],
)
def test_text_that_is_not_of_the_type_is_refused(kind, text):
    schema = msgspec.defstruct("Schema", [("x", kind)], frozen=True)

    (problem,) = check_configuration(schema, environ={"SUPTREE_X": text})
    assert (problem.kind, problem.path, str(problem.source)) == ("wrong", "x", "SUPTREE_X")


def test_text_in_a_file_does_not_become_a_number(tmp_path):
    (problem,) = problems('[scheduler]\ntick = "1"\n', tmp_path)

    assert problem.kind == "wrong"


def test_another_prefix_reads_other_variables():
    environ = {"MY_APP_NAME": "mine", "SUPTREE_NAME": "not mine"}

    assert read(environ=environ, prefix="MY_APP").value.name == "mine"
    with pytest.raises(ValueError, match="prefix must be letters"):
        read(prefix="MY-APP_")


def test_without_environ_the_variables_of_the_program_count(monkeypatch):
    monkeypatch.setenv("SUPTREE_NAME", "from outside")

    assert load_configuration(Settings).value.name == "from outside"


def test_names_of_the_file_may_differ_from_those_of_the_attributes(tmp_path):
    class Renamed(msgspec.Struct, frozen=True, rename="kebab"):
        max_size: int = 1

    (tmp_path / "a.toml").write_text("max-size = 3\n")
    configuration = load_configuration(Renamed, file=tmp_path / "a.toml", environ={})
    again = load_configuration(Renamed, environ={"SUPTREE_MAX_SIZE": "4"})

    assert (configuration.value.max_size, again.value.max_size) == (3, 4)
    assert configuration.at("max-size") == 3


PATHS = some.sampled_from(["name", "scheduler.workers", "pools.a.size", "pools.b.size"])
SETTING = some.integers(0, 99)


@given(some.lists(some.dictionaries(PATHS, SETTING), min_size=3, max_size=3))
def test_the_value_of_any_mix_of_sources_is_that_of_the_last_one_that_names_it(
    tmp_path_factory, layers
):
    in_file, in_environ, in_code = (
        {path: str(value) if path == "name" else value for path, value in layer.items()}
        for layer in layers
    )
    file = tmp_path_factory.mktemp("any") / "a.toml"
    file.write_text("".join(f"{path} = {value!r}\n" for path, value in in_file.items()))
    environ = {
        f"SUPTREE_{path.upper().replace('.', '__')}": str(value)
        for path, value in in_environ.items()
    }

    configuration = load_configuration(Settings, file=file, environ=environ, overrides=in_code)

    expected = {"name": "app", "scheduler.workers": 7} | in_file | in_environ | in_code
    assert {path: configuration.at(path) for path in expected} == expected
    for path in expected:
        kind = configuration.entries[path].source.kind
        named = [path in in_file, path in in_environ, path in in_code]
        kinds = ["file", "environment", "code"]
        assert kind == next(
            (k for k, there in zip(kinds[::-1], named[::-1], strict=True) if there), "default"
        )


# -- what is refused -----------------------------------------------------------------------


def test_all_problems_are_told_at_once_each_with_its_place(tmp_path):
    text = '[scheduler]\ntick = -1\nworkrs = 3\n\n[pools.http]\nsize = "x"\n[[rules]]\nleast = 5\n'
    environ = {"SUPTREE_SCHEDULR__X": "1", "SUPTREE_SCHEDULER__HOSTS": "a", "SUPTREE_TLS__KEY": "k"}

    found = problems(text, tmp_path, environ=environ, overrides={"scheduler.mode": "fats"})

    file = tmp_path / "app.toml"
    assert [str(problem) for problem in found] == [
        f"{file}:2: scheduler.tick must be `float` > 0.0; got -1.",
        f"{file}:3: scheduler.workrs is not a setting, did you mean 'workers'?",
        f"{file}:6: pools.http.size must be `int`; got 'x'.",
        "SUPTREE_SCHEDULER__HOSTS: scheduler.hosts must be `array`; got 'a'.",
        "SUPTREE_SCHEDULR__X: schedulr is not a setting, did you mean 'scheduler'?",
        "code: scheduler.mode must be one of 'fast', 'safe'; got 'fats'.",
        "tls.cert must be set; no source sets it, and it has no default.",
        f"{file}:8: rules[0] is refused: least must be at most size; got 5 and 3.",
    ]
    assert {problem.kind for problem in found} == {"unknown", "wrong", "missing", "refused"}


def test_load_raises_with_every_problem_in_its_text():
    with pytest.raises(ConfigurationInvalidError, match="2 problems") as caught:
        read(overrides={"nmae": "x", "scheduler.tick": 0})

    assert [problem.path for problem in caught.value.problems] == ["nmae", "scheduler.tick"]
    assert "did you mean 'name'?" in str(caught.value)


def test_a_wrong_value_names_path_expected_got_and_source(tmp_path):
    (problem,) = problems("[scheduler]\nworkers = 1.5\n", tmp_path)

    assert (problem.path, problem.expected, problem.got) == ("scheduler.workers", "`int`", "1.5")
    assert (problem.source.kind, problem.source.line) == ("file", 2)


def test_a_wrong_value_is_told_even_if_a_later_source_covers_it(tmp_path):
    found = problems("name = 5\n", tmp_path, environ={"SUPTREE_NAME": "right"})

    assert [problem.path for problem in found] == ["name"]


def test_an_unknown_key_without_a_near_one_lists_those_that_there_are():
    (problem,) = problems(overrides={"pools.http.zzz": 1})

    assert problem.near is None
    assert str(problem).endswith("pools.http.zzz is not a setting. Known: least, size.")


@pytest.mark.parametrize("raw", [5, "text", [1], None])
def test_a_section_must_be_a_table(raw):
    (problem,) = problems(overrides={"scheduler": raw})

    assert problem.expected == "a table"


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("SUPTREE_SCHEDULER", "such as SUPTREE_SCHEDULER__TICK"),
        ("SUPTREE_POOLS", "such as SUPTREE_POOLS__NAME__SIZE"),
        ("SUPTREE_NAME__DEEPER", "has nothing below it; got 'DEEPER'"),
        ("SUPTREE_SCHEDULER__TIKC", "did you mean 'tick'?"),
        ("SUPTREE_NMAE", "did you mean 'name'?"),
        ("SUPTREE_RULES", "must be a list, as JSON"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused_by_its_name(variable, words):
    (problem,) = problems(environ={variable: "x"})

    assert str(problem).startswith(f"{variable}: ")
    assert words in str(problem)


def test_variables_that_look_like_nothing_of_ours_are_ignored_and_listed():
    configuration = read(environ={"SUPTREE_TEST_LOOP": "real", "OTHER": "x"})

    assert configuration.ignored == ("SUPTREE_TEST_LOOP",)


@pytest.mark.parametrize(
    ("text", "words"),
    [("name = \n", "line 1"), ("name = 'a'\nname = 'b'\n", "overwrite")],
)
def test_a_file_that_is_no_toml_is_one_problem_with_its_line(tmp_path, text, words):
    (problem,) = problems(text, tmp_path)

    assert problem.kind == "unreadable"
    assert words in str(problem)


def test_a_file_that_is_not_there_is_refused_and_not_passed_over(tmp_path):
    (problem,) = check_configuration(Settings, file=tmp_path / "no.toml", environ={})

    assert problem.kind == "unreadable"
    assert "No such file" in str(problem)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "app.toml").write_bytes(b"\xff\xfe")

    (problem,) = check_configuration(Settings, file=tmp_path / "app.toml", environ={})
    assert problem.kind == "unreadable"


class Odd(msgspec.Struct, frozen=True):
    x: int = 1

    def __post_init__(self) -> None:
        raise KeyError("gone")


class HasOdd(msgspec.Struct, frozen=True):
    odd: Odd | None = None


def test_a_check_of_a_section_that_crashes_is_a_problem_and_no_crash():
    (problem,) = check_configuration(HasOdd, environ={}, overrides={"odd.x": 2})

    assert str(problem) == "code: odd is refused: KeyError('gone')"


# -- schemas ---------------------------------------------------------------------------------


class Thawed(msgspec.Struct):
    x: int = 1


class Loose(msgspec.Struct, frozen=True, tag=True):
    x: int = 1


class Strict(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    x: int = 1


class Endless(msgspec.Struct, frozen=True):
    inner: Endless | None = None


@pytest.mark.parametrize(
    ("kind", "default", "words"),
    [
        (Thawed, msgspec.NODEFAULT, "must be a frozen Struct"),
        (Endless, msgspec.NODEFAULT, "must not contain itself"),
        (Loose | Strict, msgspec.NODEFAULT, "forbid_unknown_fields"),
        (int, "one", "the default of Schema.x must be `int`; got 'one'"),
        (Secret[int], Secret("hidden"), r"must be `int`; got \*\*\*"),
        (complex, 1j, "of a type that text can become"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_the_field_named(kind, default, words):
    field = ("x", kind) if default is msgspec.NODEFAULT else ("x", kind, default)
    schema = msgspec.defstruct("Schema", [field], frozen=True)

    with pytest.raises(ConfigurationSchemaError, match=words):
        load_configuration(schema, environ={})


def test_a_schema_whose_types_cannot_be_found_is_refused():
    class Local(msgspec.Struct, frozen=True):
        x: int = 1

    class Outer(msgspec.Struct, frozen=True):
        local: Local = Local()

    with pytest.raises(ConfigurationSchemaError, match="names of its module; got name 'Local'"):
        load_configuration(Outer, environ={})


def test_a_schema_must_be_a_struct():
    with pytest.raises(ConfigurationSchemaError, match=r"must be a frozen msgspec\.Struct"):
        load_configuration(dict, environ={})  # type: ignore[type-var]


def test_a_union_of_tagged_structs_is_one_setting():
    schema = msgspec.defstruct("Schema", [("x", Strict | int)], frozen=True)

    configuration = load_configuration(schema, environ={"SUPTREE_X": '{"type": "Strict", "x": 3}'})

    assert configuration.value.x == Strict(3)  # type: ignore[attr-defined]
    assert check_configuration(schema, environ={"SUPTREE_X": '{"type": "Strict", "y": 3}'})


@pytest.mark.parametrize("value", [math.nan])
def test_what_is_not_a_number_is_refused(value):
    schema = msgspec.defstruct("Schema", [("x", float)], frozen=True)

    assert check_configuration(schema, environ={}, overrides={"x": value})[0].expected == "a number"


# -- looking ---------------------------------------------------------------------------------


def test_at_finds_sections_and_settings_by_their_path():
    configuration = read(overrides={"pools.http.size": 5})

    assert configuration.at("") is configuration.value
    assert configuration.at("scheduler.tick") == 0.5
    assert configuration.at("pools.http") == Pool(5)
    assert configuration.at("pools.none.size") is ABSENT
    assert configuration.at("tls.cert") is ABSENT
    with pytest.raises(UnknownSectionError, match=r"did you mean 'scheduler\.tick'\?"):
        configuration.at("scheduler.tikc")
    with pytest.raises(UnknownSectionError):
        configuration.at("name.deeper")


def test_diff_names_what_differs_and_nothing_else():
    old = read(overrides={"pools.a.size": 1, "name": "x", "scheduler.workers": 1})
    new = read(overrides={"pools.b.size": 1, "name": "y", "scheduler.workers": 2})

    changes = {
        change.path: (change.old, change.new, change.fixed)
        for change in diff_configurations(old, new)
    }

    assert changes == {
        "name": ("x", "y", False),
        "scheduler.workers": (1, 2, True),
        "pools.a.size": (1, ABSENT, False),
        "pools.a.least": (0, ABSENT, False),
        "pools.b.size": (ABSENT, 1, False),
        "pools.b.least": (ABSENT, 0, False),
    }
    assert diff_configurations(old, old) == ()


class HasFixed(msgspec.Struct, frozen=True):
    pools: Fixed[dict[str, Pool]] = {}
    pool: Fixed[Pool] = Pool()


def test_a_whole_section_can_be_fixed():
    old, new = (
        load_configuration(HasFixed, environ={}, overrides={"pool.size": n, "pools.a.size": n})
        for n in (4, 5)
    )

    assert [(one.path, one.fixed) for one in diff_configurations(old, new)] == [
        ("pools.a.size", True),
        ("pool.size", True),
    ]


# -- secrets -----------------------------------------------------------------------------------


def secret_configuration() -> Configuration[Settings]:
    return load_configuration(
        Settings,
        environ={"SUPTREE_TLS__KEY": "hunter2"},
        overrides={"tls": {"cert": "/c"}},
    )


def test_a_secret_shows_itself_nowhere():
    configuration = secret_configuration()
    assert configuration.value.tls is not None
    assert configuration.value.tls.key.reveal() == "hunter2"

    shown = [repr(configuration), *configuration.lines(), str(configuration.as_json())]
    shown += [str(change) for change in diff_configurations(read(), configuration)]

    assert "hunter2" not in "".join(shown)
    assert "***" in shown[0]


@pytest.mark.parametrize(
    "bad",
    [
        {"environ": {"SUPTREE_TLS": "hunter2"}},
        {"environ": {"SUPTREE_TLS__KYE": "hunter2"}},
        {"overrides": {"tls": "hunter2"}},
        {"overrides": {"tls": ["hunter2"]}},
        {"overrides": {"tls.key": ["hunter2"], "tls.cert": "/c"}},
    ],
)
def test_no_problem_ever_prints_what_may_be_a_secret(bad):
    found = problems(**bad)

    assert found
    assert "hunter2" not in "".join(map(repr, found))


def test_show_prints_path_value_source_and_whether_it_is_fixed():
    lines = list(secret_configuration().lines())

    assert lines[0].split() == ["name", "live", '"app"', "default"]
    assert lines[2].split() == ["scheduler.workers", "fixed", "7", "default"]
    assert lines[7].split() == ["tls.key", "live", "***", "SUPTREE_TLS__KEY"]
