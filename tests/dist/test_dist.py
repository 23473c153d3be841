"""./dev dist: the tarball runs from another folder, and bad licences or libraries are refused.

usage: test_dist.py JOULELINE    (an ordinary, dynamically linked build)
"""

import pathlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import dist  # noqa: E402

RULES = tomllib.loads((ROOT / "tools/licences.toml").read_text())
DYNAMIC = sys.argv.pop(1)


def copyright_text(licence, files="*"):
    return f"Format: x\n\nFiles: {files}\nCopyright: somebody\nLicense: {licence}\n words\n\nFiles: debian/*\nLicense: GPL-3+\n"


class Licences(unittest.TestCase):
    def refused(self, text, package="libx-dev"):
        return dist.refused_licences(package, text, RULES)

    def test_allowed_ones_pass(self):
        for licence in ("Expat", "public-domain", "GPL-2+ or Zlib", "Zlib and libpng"):
            self.assertEqual(self.refused(copyright_text(licence)), [], licence)

    def test_others_are_refused(self):
        for licence in ("LGPL-2.1", "GPL-2+", "Expat and GPL-2", "", "Proprietary"):
            self.assertTrue(self.refused(copyright_text(licence)), licence)
        self.assertTrue(self.refused(copyright_text("GPL-2", "*\n src/a.c")))
        self.assertTrue(self.refused("This library is free for some uses.\n"))

    def test_files_outside_the_library_do_not_count(self):
        self.assertEqual(self.refused(copyright_text("GPL-2", "xxhsum.c"), "libxxhash-dev"), [])
        self.assertTrue(self.refused(copyright_text("GPL-2", "xxhsum.c"), "libother-dev"))

    def test_every_library_that_we_link_is_allowed(self):
        for package in ("libsqlite3-dev", "libjansson-dev", "libyaml-dev", "libxxhash-dev",
                        "libturbojpeg0-dev", "libpng-dev", "zlib1g-dev"):
            text = pathlib.Path("/usr/share/doc", package, "copyright").read_text()
            self.assertEqual(self.refused(text, package), [], package)

    def test_a_linked_library_with_a_bad_licence_stops_the_tarball(self):
        archive = subprocess.run("dpkg -L libyaml-dev | grep 'libyaml\\.a$'", shell=True, check=True,
                                 capture_output=True, text=True).stdout.strip()
        link_map = f"Archive member included\n\n{archive}(api.c.o)\n   main.o (yaml_x)\n\nMemory Configuration\n"
        with tempfile.TemporaryDirectory() as folder:
            documents, to = pathlib.Path(folder, "doc"), pathlib.Path(folder, "to")
            (documents / "libyaml-dev").mkdir(parents=True)
            to.mkdir()
            (documents / "libyaml-dev/copyright").write_text(copyright_text("AGPL-3"))
            with self.assertRaisesRegex(dist.Refused, "libyaml-dev: AGPL-3"):
                dist.collect_licences(link_map, to, documents, RULES)
            (documents / "libyaml-dev/copyright").write_text(copyright_text("Expat"))
            self.assertEqual(dist.collect_licences(link_map, to, documents, RULES), ["libyaml-dev"])
            self.assertTrue((to / "libyaml-dev.txt").exists())


class Tarball(unittest.TestCase):
    def test_a_dynamically_linked_program_is_refused(self):
        with self.assertRaisesRegex(dist.Refused, "only glibc may be linked dynamically"):
            dist.check_needs(DYNAMIC)

    def test_it_runs_from_another_folder(self):
        subprocess.run([ROOT / "dev", "dist"], check=True, stdin=subprocess.DEVNULL)
        tarball, = (ROOT / "build/dist").glob("jouleline-*.tar.gz")
        with tempfile.TemporaryDirectory() as folder, tarfile.open(tarball) as tar:
            tar.extractall(folder)
            top, = pathlib.Path(folder).iterdir()
            program = top / "bin/jouleline"

            def run(*arguments):
                return subprocess.run([program, *arguments], cwd=folder, check=True, capture_output=True,
                                      text=True, env={"HOME": folder, "PATH": "/usr/bin:/bin"}).stdout

            self.assertRegex(run("--version"), r"^jouleline \d")
            self.assertTrue((top / "lib/jouleline/onnxruntime/libonnxruntime.so.1").exists())
            self.assertTrue((top / "share/man/man1/jouleline.1").exists())
            self.assertTrue((top / "LICENSE").exists())


unittest.main()
