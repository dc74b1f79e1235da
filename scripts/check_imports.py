"""Hold the rules of the house that no linter knows, by reading src/suptree as syntax trees.

    python scripts/check_imports.py            print each breach as file:line: [rule] ..., exit 1
    python scripts/check_imports.py --rules    print the rules

What is refused but right in one place stands in `allowed.toml`, each entry with its reason.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "suptree"

RULES = {
    "floor": "a floor imports only floors below it, for types too; faces are blind to one another",
    "public": "across floors only names in the lower floor's __all__, from its front door",
    "stdlib": "near, errors, clock, telemetry, core and otp import the standard library alone",
    "task": "tasks are created in core/runtime.py",
    "base-exception": "`except BaseException` stands in core/process.py",
    "state": "no module-level mutable state",
    "time": "time is read in clock.py",
    "process": "OS processes start in services/commands/runner.py",
}

FLOORS = ("near", "errors", "clock", "telemetry", "core", "otp", "services", "agents", "system")
FACES = ("cli", "dashboard", "testing", "export", "audit")
STDLIB_ONLY = FLOORS[: FLOORS.index("otp") + 1]

TASK_MAKERS = {"create_task", "ensure_future", "gather", "wait_for", "run_coroutine_threadsafe"}
CLOCK_READERS = {
    *("time", "monotonic", "perf_counter", "process_time", "thread_time"),
    *("time_ns", "monotonic_ns", "perf_counter_ns", "process_time_ns", "sleep"),
}
PROCESS_MODULES = {"subprocess", "multiprocessing", "pty"}
PROCESS_CALLS = {  # of `os`
    *("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen", "startfile"),
    *("execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp", "execvpe"),
    *("spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe"),
}
PROCESS_MAKERS = {  # of whatever
    *("create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"),
    *("Popen", "ProcessPoolExecutor"),
}
MUTABLE_MAKERS = {
    *("list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter"),
    *("ChainMap", "WeakKeyDictionary", "WeakValueDictionary", "WeakSet", "ContextVar", "count"),
    *("Lock", "RLock", "Condition", "Semaphore", "local", "SimpleQueue", "Queue"),
    *("SimpleNamespace", "cache", "lru_cache"),
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One place where a rule is broken."""

    rule: str
    file: str  # relative to src/suptree
    line: int
    scope: str  # dotted function or name, "" at module level
    what: str

    def __str__(self) -> str:
        return f"src/suptree/{self.file}:{self.line}: [{self.rule}] {self.what}"

    def matches(self, where: str) -> bool:
        """Say whether *where* ("file" or "file:scope") covers this place."""
        file, _, scope = where.partition(":")
        inside = not scope or self.scope == scope or self.scope.startswith(scope + ".")
        return self.file == file and inside


def main() -> int:
    """Print every breach that is not allowed, and every allowance that allows nothing."""
    if "--rules" in sys.argv[1:]:
        print("\n".join(f"{rule:<16} {law}" for rule, law in RULES.items()))
        return 0
    allowed = tomllib.loads((ROOT / "scripts" / "allowed.toml").read_text())["allow"]
    breaches = [breach for path in sorted(PACKAGE.rglob("*.py")) for breach in Reader(path).read()]

    used: set[int] = set()
    refused: list[str] = []
    for breach in breaches:
        entry = next((i for i, a in enumerate(allowed) if covers(a, breach)), None)
        if entry is None:
            refused.append(f"{breach} (rule: {RULES[breach.rule]})")
        else:
            used.add(entry)
    refused += [
        f"scripts/allowed.toml: [{entry['rule']}] {entry['where']}: nothing there needs this. Remove it."
        for i, entry in enumerate(allowed)
        if i not in used
    ]
    print(
        "\n".join(refused)
        or f"one-place: {len(breaches)} places looked at, all allowed for a reason"
    )
    return 1 if refused else 0


def covers(entry: dict[str, str], breach: Breach) -> bool:
    """Say whether the allowance *entry* covers *breach*; one without a reason covers nothing."""
    return (
        entry["rule"] == breach.rule
        and bool(entry["reason"].strip())
        and breach.matches(entry["where"])
    )


class Reader(ast.NodeVisitor):
    """Reads one file and collects its breaches."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.relative_to(PACKAGE).as_posix()
        self.floor = self.file.split("/")[0].removesuffix(".py")
        self.scope: list[str] = []
        self.breaches: list[Breach] = []

    def read(self) -> list[Breach]:
        """Return every breach of this file."""
        self.visit(ast.parse(self.path.read_text(), self.file))
        return self.breaches

    def breach(self, rule: str, node: ast.AST, what: str, scope: str | None = None) -> None:
        """Note that *node* breaks *rule*."""
        line = getattr(node, "lineno", 1)
        self.breaches.append(Breach(rule, self.file, line, scope or ".".join(self.scope), what))

    # -- scopes

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._enter(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            if last_name(decorator) in {"cache", "lru_cache"}:
                self.breach("state", node, f"{node.name} keeps a cache between runtimes", node.name)
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._enter(node)

    def _enter(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.scope.append(node.name)
        self.generic_visit(node)
        self.scope.pop()

    # -- imports

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(node, alias.name, None)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:  # a relative import, spelt out
            parents = ["suptree", *self.file.split("/")[:-1]]
            base = parents[: len(parents) - node.level + 1]
            module = ".".join([*base, *filter(None, [module])])
        if module == "time":
            for alias in node.names:
                if alias.name in CLOCK_READERS:
                    self.breach("time", node, f"imports time.{alias.name}")
        for alias in node.names:
            if module == "subprocess" or (module, alias.name) == ("multiprocessing", "Process"):
                self.breach("process", node, f"imports {module}.{alias.name}")
            self._imported(node, module, alias.name)

    def _imported(self, node: ast.AST, module: str, name: str | None) -> None:
        parts = module.split(".")
        if parts[0] != "suptree":
            if self.floor in STDLIB_ONLY and parts[0] not in sys.stdlib_module_names:
                self.breach("stdlib", node, f"imports {module}")
            return
        if self.floor == "__init__":  # the front page re-exports floors and opens no face
            if len(parts) > 1 and parts[1] in FACES:
                self.breach("floor", node, f"the front page imports the face {parts[1]}")
            return
        if len(parts) == 1:  # `from suptree import x`, `import suptree`
            if name in {*FLOORS, *FACES}:
                self._crossed(node, [*parts, name], None)
            elif self.floor in FLOORS:
                self.breach("floor", node, "imports the front page, which stands above every floor")
            return
        self._crossed(node, parts, name)

    def _crossed(self, node: ast.AST, parts: list[str], name: str | None) -> None:
        target = parts[1]
        if target == self.floor:
            return
        if not stands_above(self.floor, target):
            self.breach("floor", node, f"{self.floor} imports {target}, which is not below it")
        elif len(parts) > 2 or name is None:
            path = ".".join(parts)
            self.breach("public", node, f"imports {path}; write `from suptree.{target} import ...`")
        elif name not in public_names(target):
            self.breach("public", node, f"imports {name}, which is not in suptree.{target}.__all__")

    # -- one place each

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        name = last_name(called)
        owner = last_name(called.value) if isinstance(called, ast.Attribute) else None
        if name in TASK_MAKERS and owner != "self":
            self.breach("task", node, f"calls {ast.unparse(called)}")
        of_os = owner == "os" and name in PROCESS_CALLS
        if of_os or name in PROCESS_MAKERS or owner in PROCESS_MODULES:
            self.breach("process", node, f"calls {ast.unparse(called)}")
        if name == "Task" and owner in {"asyncio", "tasks"}:
            self.breach("task", node, f"calls {ast.unparse(called)}")
        if owner == "time" and name in CLOCK_READERS:
            self.breach("time", node, f"calls time.{name}")
        if owner in {"datetime", "date"} and name in {"now", "utcnow", "today"}:
            self.breach("time", node, f"calls {owner}.{name}")
        if name == "time" and owner not in {None, "time", "self"} and not node.args:
            self.breach("time", node, f"calls {ast.unparse(called)}")
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if any(kind is None or last_name(kind) == "BaseException" for kind in kinds):
            self.breach("base-exception", node, "catches BaseException")
        self.generic_visit(node)

    # -- state

    def visit_Module(self, node: ast.Module) -> None:
        for statement in module_statements(node.body):
            match statement:
                case ast.Assign(targets=targets, value=value) if is_mutable(value):
                    names = [ast.unparse(target) for target in targets]
                case ast.AnnAssign(target=target, value=ast.expr() as value) if is_mutable(value):
                    names = [] if is_read_only(statement.annotation) else [ast.unparse(target)]
                case _:
                    continue
            for name in names:
                if name != "__all__":
                    what = f"{name} is mutable; a constant is annotated Final[Mapping[...]] or so"
                    self.breach("state", statement, what, name)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.breach("state", node, f"rebinds the global {', '.join(node.names)}")


def stands_above(upper: str, lower: str) -> bool:
    """Say whether floor or face *upper* may import *lower*."""
    if upper == "audit":
        return lower == "errors"
    if upper in FACES:
        return lower in FLOORS
    return lower in FLOORS and FLOORS.index(upper) > FLOORS.index(lower)


def public_names(floor: str) -> set[str]:
    """The `__all__` of a floor, read from its source."""
    path = PACKAGE / floor / "__init__.py"
    source = path if path.exists() else PACKAGE / f"{floor}.py"
    for node in ast.parse(source.read_text()).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name("__all__")], value=value)
                | ast.AnnAssign(target=ast.Name("__all__"), value=ast.expr() as value)
            ):
                return set(ast.literal_eval(value))
    return set()


def module_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run at import, those inside `if` and `try` included."""
    for statement in body:
        yield statement
        for field in ("body", "orelse", "finalbody"):
            if isinstance(statement, ast.If | ast.Try):
                yield from module_statements(getattr(statement, field, []))


def is_mutable(value: ast.expr) -> bool:
    """Say whether *value* makes something that can change later."""
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=func):
            return last_name(func) in MUTABLE_MAKERS
        case _:
            return False


def is_read_only(annotation: ast.expr) -> bool:
    """Say whether the type has no method that changes it, so that a type checker guards it."""
    inner = annotation
    if isinstance(annotation, ast.Subscript) and last_name(annotation) == "Final":
        inner = annotation.slice
    return last_name(inner) in {"Mapping", "Sequence", "Collection", "Set", "AbstractSet"}


def last_name(node: ast.expr) -> str | None:
    """`c` of `a.b.c`, of `a.b.c[...]` and of `a.b.c(...)`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=inner) | ast.Call(func=inner):
            return last_name(inner)
        case _:
            return None


if __name__ == "__main__":
    sys.exit(main())
