"""Every command of the README is run and prints what the README shows, up to numbers.

usage: test_readme.py BUILD [--show]

Commands stand in ```console blocks after '$ '. They run in order in one folder, as a reader would
type them after './dev demo': build/release is BUILD, and what one command writes is there for the
next. Compared are the words of what is printed on standard output and standard error, with every
number replaced by one sign, and regardless of where a narrow table wraps. Where the README has a
line of "..." more may be printed than it shows. The sentence on what was best and the reason why
there are no joules are the machine's own: only that they are printed is compared.
--show prints what each command printed.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
COVERED = {
    "git clone": "the clone that continuous integration starts from",
    "cd jouleline": "the clone that continuous integration starts from",
    "./dev test": "this run itself",
}
NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?")
OWN = [
    (re.compile(r"^On .*?\sper\s+inference.*?\)\.$", re.M | re.S), "BEST"),
    (re.compile(r"^No joules: .*?help\.$", re.M | re.S), "NO-JOULES"),
    # a busy machine does not come to rest within the short warm-ups of the examples
    (re.compile(r"(?<=\d)\*"), ""),
    (re.compile(r"^\*: in .*?shows\s+the\s+drift\.\n", re.M | re.S), ""),
    (re.compile(r"-{3,}"), ""),  # rules are as wide as their columns
]


def blocks(text):
    """[(command, expected lines)] of the console blocks."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.startswith("> ") and found and not found[-1][1]:
                found[-1] = (found[-1][0] + "\n" + line[2:], [])
            elif found:
                found[-1][1].append(line)
    return found


def words(lines):
    text = "\n".join(lines)
    for pattern, replacement in OWN:
        text = pattern.sub(replacement, text)
    text = re.sub(r"([/+,])(?=\S)", r"\1 ", NUMBER.sub("N", text))
    return collections.Counter(text.split())


def same(expected, actual):
    shown, printed = words(l for l in expected if l != "..."), words(actual)
    missing, more = shown - printed, printed - shown
    return not missing and (not more or "..." in expected)


def main():
    build, show = pathlib.Path(sys.argv[1]).resolve(), "--show" in sys.argv
    commands = blocks((ROOT / "README.md").read_text())
    failures = ran = 0
    with tempfile.TemporaryDirectory(prefix="jl_readme_") as folder:
        for name in ("dev", "studies", "share", "examples", "tests", "tools", "README.md", "doc"):
            (pathlib.Path(folder) / name).symlink_to(ROOT / name)
        (pathlib.Path(folder) / "build").mkdir()
        (pathlib.Path(folder) / "build/release").symlink_to(build)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JOULELINE_")}
        environment.update(HOME=folder, LC_ALL="C.UTF-8")
        for command, expected in commands:
            if any(command.startswith(c) for c in COVERED):
                continue
            done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, text=True, errors="replace",
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=900)
            actual = done.stdout.splitlines()
            ran += 1
            if show:
                print(f"$ {command}\n{done.stdout}")
            if done.returncode or not same(expected, actual):
                failures += 1
                print(f"README.md: $ {command}\n  the README shows:")
                print("".join(f"    {l}\n" for l in expected) + f"  it printed (status {done.returncode}):")
                print("".join(f"    {l}\n" for l in actual), end="")
    print(f"{ran} commands, {failures} differ")
    return 1 if failures or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
