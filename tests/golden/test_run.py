"""The golden runner accepts what is right, refuses what is not, and updates."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).with_name("run.py")

GOOD = """# a comment
$ echo 'took 1.5e-3 s on anything'
took <n> s on <*>
$ printf '%s\\n' '$ odd' 'plain' && cat >&2 <<X && exit 3
> words
> X
|$ odd
plain
! words
? 3
$ echo "$HOME" | sed "s|$PWD|here|"
here
"""


class Runner(unittest.TestCase):
    def run_text(self, text, *flags):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "a.t"
            path.write_text(text)
            done = subprocess.run([sys.executable, RUN, *flags, folder, path], capture_output=True, text=True)
            return done.returncode, done.stdout, path.read_text()

    def test_accepts_what_is_right(self):
        code, out, _ = self.run_text(GOOD)
        self.assertEqual((code, out), (0, ""))

    def test_refuses_each_difference(self):
        for old, new in [("took <n>", "took <n>0 x"), ("! words", "! word"), ("? 3", "? 2"),
                         ("plain\n", ""), ("here\n", "here\nmore\n"), ("|$ odd\n", "|$ od\n")]:
            self.assertIn(old, GOOD)
            code, out, _ = self.run_text(GOOD.replace(old, new))
            self.assertEqual(code, 1, (old, new, out))

    def test_refuses_a_file_without_commands(self):
        self.assertEqual(self.run_text("# nothing\n")[0], 1)

    def test_updates_and_keeps_patterns(self):
        wrong = GOOD.replace("plain\n", "").replace("? 3\n", "")
        code, _, text = self.run_text(wrong, "--update")
        self.assertEqual(code, 0)
        self.assertIn("took <n> s on <*>", text)
        self.assertEqual(self.run_text(text)[0], 0)
        self.assertIn("? 3", text)


unittest.main()
