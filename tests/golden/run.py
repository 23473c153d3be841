"""Runs command-line examples and compares what they print.

usage: run.py [--update] JOULELINE_FOLDER FILE.t...

A .t file holds commands and what they must do:

    # a comment
    $ jouleline nonsense
    ! jouleline: there is no command 'nonsense'; 'jouleline --help' lists them
    ? 2

'$ ' starts a command for bash, a line after it that starts with '> ' continues it. Then come the
lines of its standard output as they are (a line that would start with one of $!?># is written
with a '|' before it), those of its standard error after '! ', and the exit status after '? ' when
it is not 0. In an expected line <n> stands for a number and <*> for anything. A file runs in an
empty folder with JOULELINE_FOLDER first in PATH and HOME in that folder; $SOURCE is the source tree,
$FIXTURES its tests/fixtures.

--update writes what was printed into the files; lines whose patterns still match are kept.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
TIMEOUT_S = 120


def pattern(line):
    parts = re.split(r"(<n>|<\*>)", line)
    return "".join({"<n>": NUMBER, "<*>": ".*"}.get(p, re.escape(p)) for p in parts)


def matches(expected, actual):
    return re.fullmatch(pattern(expected), actual) is not None


class Case:
    def __init__(self, comment):
        self.comment = comment  # lines before the command
        self.command = []
        self.expected = []  # lines as written in the file

    def run(self, folder, environment):
        done = subprocess.run(["bash", "-c", "\n".join(self.command)], cwd=folder, env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S,
                              errors="replace")
        lines = [("|" + l if l[:1] in "$!?>#|" and l else l) for l in done.stdout.splitlines()]
        lines += [("! " + l).rstrip() for l in done.stderr.splitlines()]
        if done.returncode:
            lines.append(f"? {done.returncode}")
        return lines

    def same(self, actual):
        return len(actual) == len(self.expected) and all(map(matches, self.expected, actual))

    def text(self, lines):
        first, *rest = self.command
        return self.comment + ["$ " + first] + ["> " + l for l in rest] + lines


def read(path):
    cases, comment = [], []
    for line in path.read_text().splitlines():
        if line.startswith("$ "):
            cases.append(Case(comment))
            comment = []
            cases[-1].command.append(line[2:])
        elif line.startswith("> ") and cases and not cases[-1].expected:
            cases[-1].command.append(line[2:])
        elif line.startswith("#") or not cases:
            comment.append(line)
        else:
            cases[-1].expected += comment + [line]
            comment = []
    return cases, comment


def keep_patterns(expected, actual):
    """The actual lines, with an expected line in place of one that it still matches."""
    kept = []
    for i, line in enumerate(actual):
        fits = i < len(expected) and matches(expected[i], line)
        kept.append(expected[i] if fits else line)
    return kept


def run_file(path, program_folder, update):
    cases, rest = read(path)
    failures, text = 0, []
    with tempfile.TemporaryDirectory(prefix="jl_golden_") as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("JOULELINE_", "XDG_", "COLUMNS"))}
        environment.update(PATH=f"{program_folder}:{os.environ['PATH']}", HOME=folder, LC_ALL="C.UTF-8",
                           SOURCE=str(SOURCE), FIXTURES=str(SOURCE / "tests/fixtures"), TZ="UTC")
        for case in cases:
            actual = case.run(folder, environment)
            if not case.same(actual):
                failures += 1
                if not update:
                    print(f"{path}: $ {case.command[0]}\n  expected:")
                    print("".join(f"    {l}\n" for l in case.expected) + "  printed:")
                    print("".join(f"    {l}\n" for l in actual), end="")
            text += case.text(keep_patterns(case.expected, actual))
    if update:
        path.write_text("\n".join(text + rest) + "\n")
    if not cases:
        print(f"{path}: no '$ ' command in it")
        return 1
    return 0 if update else failures


def main():
    arguments = sys.argv[1:]
    update = "--update" in arguments
    folder, *files = [a for a in arguments if a != "--update"]
    failures = sum(run_file(pathlib.Path(f), pathlib.Path(folder).resolve(), update) for f in files)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
