"""What is built is used, continued: methods, erasures, and rules kept as data."""

import ast
import importlib
import inspect
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence

from actors.workers.keeper import ERASED
from tests.architecture.test_used import module_of
from tests.architecture.tree import HOUSE, ROOT, Source, keep, sources

# Methods that the product itself does not call: why. An entry that is used after all, or gone, fails too.
_ALLOWED = {
    "actors.in_process.InProcess.crash": "the twin of Ray's actors in tests: how the contract suite kills one",
}
# The package that partners import: its methods are theirs to call.
_PARTNERS = "router.client."
# What is called by what it is, and not as a method.
_PLAIN = {"property", "cached_property", "functools.cached_property", "staticmethod", "classmethod", "override"}
# Keys of tables whose entries are looked up by a code or a name of the data itself.
_BY_VALUE = {
    "cells/rails/iso20022/reason_words.toml": "by reason code, as schemes give it; /reasons has a page for each",
    "router/api/problems.toml": "by the code of a problem; tests/architecture/test_problem_pages.py holds both",
    "cells/tenants/tiers.toml": "by the name of a tier",
}


def methods_unused(found: Sequence[Source]) -> Iterator[tuple[str, str]]:
    """(module.Class.method, where) of methods that no code of the product names. What a decorator registers is used by it."""
    read = Counter(
        node.attr for one in found for node in ast.walk(one.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    )  # fmt: skip
    # `getattr(handle, "ask")`, "method": asked by its name, as actors are.
    words = Counter(
        node.value for one in found for node in ast.walk(one.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )  # fmt: skip
    for source in found:
        for cls in ast.walk(source.tree):
            if not isinstance(cls, ast.ClassDef):
                continue
            for one in cls.body:
                if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) or one.name.startswith("__"):
                    continue
                registered = any(ast.unparse(mark) not in _PLAIN for mark in one.decorator_list)
                own = sum(isinstance(node, ast.Attribute) and node.attr == one.name for node in ast.walk(one))
                if not registered and read[one.name] <= own and not words[one.name]:
                    yield f"{module_of(source)}.{cls.name}.{one.name}", source.at(one, f"{cls.name}.{one.name}")


def overrides_of_others(name: str) -> bool:
    """Whether a method is one that a base or protocol from outside the house asks for: that is who calls it."""
    module, cls_name, method = name.rsplit(".", 2)
    cls = getattr(importlib.import_module(module), cls_name, None)
    bases = inspect.getmro(cls)[1:] if inspect.isclass(cls) else ()
    return any(method in vars(one) and not one.__module__.startswith(HOUSE) for one in bases)


def data_fields_unread(found: Sequence[Source]) -> Iterator[str]:
    """Fields of the models that hold data files, and of the rails' profiles, that no code reads: rules that nobody follows."""
    read = {
        name for one in found for node in ast.walk(one.tree) for name in _read_by(node)
    }  # fmt: skip
    for source in found:
        if (
            '.toml"' not in source.text
            and "with_suffix" not in source.text
            and not source.path.endswith("rails/profile.py")
        ):
            continue
        for cls in source.tree.body:
            if isinstance(cls, ast.ClassDef):
                for one in cls.body:
                    if (
                        isinstance(one, ast.AnnAssign)
                        and isinstance(one.target, ast.Name)
                        and one.target.id not in read
                    ):
                        yield source.at(one, f"{cls.name}.{one.target.id}")


def _read_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield node.attr
    elif isinstance(node, ast.MatchClass):
        yield from node.kwd_attrs


def keys_unread(files: dict[str, str], found: Sequence[Source]) -> Iterator[str]:
    """Keys of data files (path → text) that are neither a field, nor named by any code, nor values that the data itself is asked by."""
    known: set[str] = set()
    for one in found:
        for node in ast.walk(one.tree):
            known.update(_read_by(node))
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                known.add(node.target.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                known.add(node.value)
    # Currencies, regions and languages of data are asked by their codes; a dotted name is one of the allow-list.
    code = re.compile(r"[A-Z]{2,3}|[a-z]+\.[a-z_]+")
    for path, text in files.items():
        data = tomllib.loads(text)
        # A rail's documents are asked by the sources beside them; test_profile_files.py holds that each is cited.
        data.pop("documents", None)
        for key in _keys(data, top=path not in _BY_VALUE):
            if key not in known and not code.fullmatch(key):
                yield f"{path}  {key}"


def _keys(value: object, *, top: bool = True) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if top:
                yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def tables_to_erase() -> set[str]:
    """Every table of the migrations that has an `erase_after`."""
    found: set[str] = set()
    for path in (ROOT / "migrations" / "cell").glob("*.sql"):
        for name, body in re.findall(r"create table (\w+) \((.*?)\n\)", path.read_text(), re.DOTALL):
            if re.search(r"^\s*erase_after ", body, re.MULTILINE):
                found.add(name)
    return found


def test_what_a_class_offers_is_called_outside_tests() -> None:
    found = {
        name: at for name, at in methods_unused(sources(*HOUSE))
        if not name.startswith(_PARTNERS) and not overrides_of_others(name)
    }  # fmt: skip
    keep(
        "Every method is called by the product, or is one that a library calls.",
        why="a method that tests alone call works, and nobody has it.",
        mend="call it where it was meant for, or remove it with its tests; a test's own helper belongs to the tests.",
        breaches=[at for name, at in found.items() if name not in _ALLOWED],
    )
    keep(
        "An exception stands only while it is one.",
        why="a list of exceptions that nobody clears hides the next breach.",
        mend="take the entry out of _ALLOWED.",
        breaches=[name for name in _ALLOWED if name not in found],
    )


def test_every_rule_kept_as_data_is_read() -> None:
    found = sources(*HOUSE)
    keep(
        "Every field of a data file's model, and every fact of a rail's profile, is read by the product.",
        why="a rule in a file that nothing reads is believed by whoever reads the file, and followed by nobody.",
        mend="follow it in the code, show it, or take it out of the file and the model.",
        breaches=data_fields_unread(found),
    )
    files = {
        str(path.relative_to(ROOT)): path.read_text()
        # The classes of columns are held against the database by tests/architecture/test_columns.py.
        for top in HOUSE if top != "migrations" for path in sorted((ROOT / top).rglob("*.toml"))
    }  # fmt: skip
    assert len(files) > 10
    keep(
        "Every key of a data file is one that the code knows.",
        why="a key that nothing reads is a setting without effect.",
        mend="read it, or take it out.",
        breaches=keys_unread(files, found),
    )


def test_everything_that_has_an_end_is_ended_by_the_keeper() -> None:
    tables = tables_to_erase()
    assert tables
    keep(
        "Every table with an `erase_after` is one that the keeper erases.",
        why="an end that nobody carries out keeps people's data for ever; that of rail messages was never called.",
        mend="add it to ERASED in actors/workers/keeper.py.",
        breaches=tables ^ {one.table for one in ERASED},
    )


def test_these_rules_see_a_breach() -> None:
    tree = [
        Source("cells/one.py", "class Door:\n    def opened(self): return self.opened()\n    def shut(self): ...\n    async def ask(self): ...\nDoor().shut()\nNAMES = ['ask']\n"),
        Source("cells/rules.py", "PATH = 'rules.toml'\nT = \"rules.toml\"\nclass Rules:\n    limit: int\n    lost: int\nRules().limit\n"),
    ]  # fmt: skip
    assert [name for name, _ in methods_unused(tree)] == ["cells.one.Door.opened"]
    assert list(data_fields_unread(tree)) == ["cells/rules.py:5  Rules.lost"]
    text = "limit = 1\nforgotten = 2\n[amounts]\nEUR = 1\n"
    assert list(keys_unread({"cells/rules.toml": text}, tree)) == [
        "cells/rules.toml  forgotten",
        "cells/rules.toml  amounts",
    ]
