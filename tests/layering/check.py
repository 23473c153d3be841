"""Checks that the folders of the sources use each other only downwards.

usage: check.py ROOT [BUILD]

cli > report > study > convert > store > {runtime, meter} > model > analysis > base, where > reads
"may use" and runtime and meter do not know each other. Checked are the private headers that a
file includes, that public headers include public headers only, and, when the folder of a build
is given, the symbols: a public header says nothing about the layer of its functions, the
archives do.
"""

import pathlib
import re
import subprocess
import sys

LEVELS = [["base"], ["analysis"], ["model"], ["runtime", "meter"], ["store"], ["convert"], ["study"],
          ["report"], ["cli"]]
LEVEL = {name: i for i, names in enumerate(LEVELS) for name in names}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def may_use(user, used):
    return user == used or LEVEL[user] > LEVEL[used]


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".h", ".cc"))


def check_file(path, layer, root, problems):
    for name in INCLUDE.findall(path.read_text(errors="replace")):
        if name.startswith("jouleline/") or (path.parent / name).exists():
            continue
        used = name.split("/")[0]
        if used not in LEVEL:
            problems.append(f"{path.relative_to(root)}: '{name}' is in no layer")
        elif not may_use(layer, used):
            problems.append(f"{path.relative_to(root)}: {layer} must not include '{name}'")


def check_public_header(path, root, problems):
    for name in INCLUDE.findall(path.read_text(errors="replace")):
        if not name.startswith("jouleline/"):
            problems.append(f"{path.relative_to(root)}: a public header includes the private '{name}'")


def symbols(archive):
    defined, wanted = set(), set()
    for line in subprocess.run(["nm", "-P", archive], check=True, capture_output=True, text=True).stdout.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0].startswith("jl_"):
            (wanted if fields[1] == "U" else defined).add(fields[0])
    return defined, wanted


def check_symbols(build, problems):
    tables = {}
    for layer in LEVEL:
        archive = build / f"libjl_{layer}.a"
        if archive.exists():
            tables[layer] = symbols(archive)
    if "base" not in tables:
        problems.append(f"{build} holds no libjl_base.a")
    for user, (_, wanted) in tables.items():
        for used, (defined, _) in tables.items():
            if not may_use(user, used):
                problems += [f"libjl_{user}.a: {user} must not call {name} of {used}" for name in sorted(wanted & defined)]


def main():
    root = pathlib.Path(sys.argv[1])
    problems = []
    for folder in sorted((root / "src").iterdir()):
        if folder.name not in LEVEL:
            problems.append(f"src/{folder.name} is in no layer")
            continue
        for path in sources(folder):
            check_file(path, folder.name, root, problems)
    for path in sources(root / "cli"):
        check_file(path, "cli", root, problems)
    for path in sources(root / "include"):
        check_public_header(path, root, problems)
    if len(sys.argv) > 2:
        check_symbols(pathlib.Path(sys.argv[2]), problems)
    print("\n".join(problems) or "every folder uses only those below it")
    return 1 if problems else 0


sys.exit(main())
