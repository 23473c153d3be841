"""Makes the relocatable tarball out of a build with JL_STATIC.

usage: dist.py BUILD

BUILD/jouleline-VERSION-linux-x86_64.tar.gz holds one folder: bin/, lib/jouleline/onnxruntime/,
share/ (data, man pages, completion, studies), licences/. It is refused when the program needs
more than glibc 2.36, or when a library that was linked has a licence that tools/licences.toml
does not allow.
"""

import fnmatch
import gzip
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
GLIBC = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1",
         "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
NEWEST_GLIBC = (2, 36)


class Refused(Exception):
    pass


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# --- what the program needs where it runs ---

def check_needs(program):
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-dW", program))
    foreign = sorted(set(needed) - GLIBC)
    if foreign:
        raise Refused(f"{program} needs {', '.join(foreign)}; only glibc may be linked dynamically")
    versions = {tuple(map(int, v.split("."))) for v in
                re.findall(r"GLIBC_(\d+(?:\.\d+)+)", output("readelf", "-VW", program))}
    if max(versions) > NEWEST_GLIBC:
        raise Refused(f"{program} needs glibc {'.'.join(map(str, max(versions)))}, newer than 2.36")


# --- licences ---

def linked_archives(link_map):
    """The archives that gave the program at least one member, from the linker's map."""
    head = link_map.split("Memory Configuration")[0]
    return sorted(set(re.findall(r"^(/\S+\.a)\(", head, re.M)))


def package_of(path):
    found = subprocess.run(["dpkg", "-S", os.path.realpath(path), path], capture_output=True, text=True).stdout
    return found.split(":")[0] if found else None


def stanzas(copyright_text):
    """[(file patterns, licence)] of a machine-readable copyright file."""
    result = []
    for block in re.split(r"\n\s*\n", copyright_text):
        files = re.search(r"^Files:((?:.*\n?)(?:[ \t].*\n?)*)", block, re.M)
        licence = re.search(r"^License:[ \t]*(.*)$", block, re.M)
        if files and licence:
            result.append((files.group(1).replace(",", " ").split(), licence.group(1).strip()))
    return result


def licence_allowed(licence, allowed):
    """One of the alternatives of 'A or B', or all of the parts of 'A and B', is allowed."""
    names = {a.lower() for a in allowed}
    return any(all(part.strip().lower() in names for part in re.split(r"\s+and\s+", choice, flags=re.I))
               for choice in re.split(r"\s+or\s+", licence, flags=re.I))


def refused_licences(package, text, rules):
    ignored = rules["not_linked"] + rules["not_linked_of"].get(package, [])
    found = stanzas(text)
    if not found:
        return ["its copyright file is not machine-readable; read it and say so in tools/licences.toml"]
    return [f"{licence} ({' '.join(patterns[:3])})" for patterns, licence in found
            if not all(any(fnmatch.fnmatchcase(p, i) for i in ignored) for p in patterns)
            and not licence_allowed(licence, rules["allowed"])]


def collect_licences(link_map, to, documents, rules):
    """Copies each linked library's copyright file; raises when one is not allowed."""
    problems, packages = [], {}
    for archive in linked_archives(link_map):
        if archive.startswith(str(ROOT)):
            continue
        if "/gcc/" in archive:
            continue  # libgcc, see [toolchain]
        package = package_of(archive)
        if not package:
            problems.append(f"{archive} belongs to no Debian package")
        elif package not in rules["toolchain"]:
            packages[package] = archive
    for package, archive in sorted(packages.items()):
        copyright_file = documents / package / "copyright"
        if not copyright_file.exists():
            problems.append(f"{package} ({archive}) has no copyright file")
            continue
        text = copyright_file.read_text(errors="replace")
        problems += [f"{package}: {p}" for p in refused_licences(package, text, rules)]
        (to / f"{package}.txt").write_text(text)
    if problems:
        raise Refused("licences that tools/licences.toml does not allow:\n  " + "\n  ".join(problems))
    return sorted(packages)


# --- the tree and the tarball ---

def tracked(folder):
    names = output("git", "-C", str(ROOT), "ls-files", "-z", folder).split("\0")
    return [n for n in names if n]


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def fill(tree, build):
    copy(build / "jouleline", tree / "bin/jouleline")
    subprocess.run(["strip", "--strip-debug", tree / "bin/jouleline"], check=True)
    for name in tracked("share"):
        copy(ROOT / name, tree / name)
    for name in tracked("studies"):
        copy(ROOT / name, tree / "share/jouleline" / name)
    for name in [*tracked("src/runtime/libtorch"), "tools/build_libtorch_shim.sh"]:
        copy(ROOT / name, tree / "share/jouleline/libtorch" / pathlib.Path(name).name)
    for name in ("README.md", "LICENSE"):
        copy(ROOT / name, tree / name)
    for name in ("libnvrtc.so.12", "libnvrtc.so.13"):
        copy(build / "lib/jouleline/nvrtc" / name, tree / "lib/jouleline/nvrtc" / name)
    shutil.copytree(build / "share", tree / "share", dirs_exist_ok=True)
    shutil.copytree(ROOT / "build/runtimes/onnxruntime", tree / "lib/jouleline/onnxruntime", symlinks=True)


def pack(tree, tarball):
    seconds = int(output("git", "-C", str(ROOT), "log", "-1", "--format=%ct"))

    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = seconds
        return entry

    with open(tarball, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=seconds) as packed, \
            tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(tree.rglob("*")):
            tar.add(path, path.relative_to(tree.parent), recursive=False, filter=plain)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    version = output(build / "jouleline", "--version").split()[1]
    tree = build / f"jouleline-{version}-linux-{platform.machine()}"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "licences").mkdir(parents=True)
    rules = tomllib.loads((ROOT / "tools/licences.toml").read_text())
    try:
        check_needs(build / "jouleline")
        packages = collect_licences((build / "jouleline.map").read_text(), tree / "licences",
                                    pathlib.Path("/usr/share/doc"), rules)
    except Refused as reason:
        shutil.rmtree(tree)
        sys.exit(f"dist: {reason}")
    fill(tree, build)
    tarball = tree.with_name(tree.name + ".tar.gz")
    pack(tree, tarball)
    print(f"{tarball.relative_to(ROOT)}: {tarball.stat().st_size / 1e6:.1f} MB; linked: {', '.join(packages) or 'nothing but glibc'}")


if __name__ == "__main__":
    main()
