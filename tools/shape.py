"""How the tree looks: the longest hand-written files and functions. `make shape` prints it.

With --check, a file over FILE_LINES_MAX lines that ARCHITECTURE.md does not name fails.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES_MAX = 600
SHOWN = 10
ROOT = Path(__file__).resolve().parent.parent
RUST_FUNCTION = re.compile(
    r"^(?P<indent> *)(?:pub(?:\([a-z]+\))? )?(?:const |async |unsafe )*fn (?P<name>\w+)"
)


def sources() -> list[Path]:
    """Hand-written sources that git knows."""
    names = subprocess.run(
        ["git", "ls-files", "*.py", "*.pyi", "*.rs"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return [ROOT / name for name in names if "/generated/" not in name and (ROOT / name).exists()]


def python_functions(text: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def rust_functions(text: str) -> Iterator[tuple[str, int]]:
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if found := RUST_FUNCTION.match(line):
            end = found["indent"] + "}"
            length = next((n for n, other in enumerate(lines[number:]) if other == end), 0)
            yield found["name"], length + 1


def main() -> int:
    files, functions = [], []
    for path in sources():
        text = path.read_text()
        name = str(path.relative_to(ROOT))
        files.append((text.count("\n"), name))
        found = rust_functions(text) if path.suffix == ".rs" else python_functions(text)
        functions += [(length, f"{name}:{function}") for function, length in found]
    for title, rows in (("files", files), ("functions", functions)):
        print(f"longest {title}, in lines, of {len(rows)}:")
        for length, name in sorted(rows, reverse=True)[:SHOWN]:
            print(f"  {length:5}  {name}")
    if "--check" not in sys.argv:
        return 0
    named = (ROOT / "ARCHITECTURE.md").read_text()
    too_long = [name for length, name in files if length > FILE_LINES_MAX and name not in named]
    for name in too_long:
        print(f"{name} is over {FILE_LINES_MAX} lines and ARCHITECTURE.md gives no reason", file=sys.stderr)
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
