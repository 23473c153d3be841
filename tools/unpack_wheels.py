"""Takes the files that jouleline or its tests need out of wheels.

usage: unpack_wheels.py WHEELS TO NAME...

WHEELS is the folder that holds the wheels; TO receives one flat folder for each NAME. A folder
that is there already, made from the same wheel by the same script, is left alone.
"""

import fnmatch
import hashlib
import pathlib
import shutil
import sys
import zipfile

# Of OpenVINO only what its CPU device and its readers of ONNX and OpenVINO files need.
FILES = {
    "onnxruntime": [
        "onnxruntime/capi/libonnxruntime*.so*",
        "onnxruntime/LICENSE",
        "onnxruntime/ThirdPartyNotices.txt",
    ],
    "openvino": [
        "openvino/libs/libopenvino.so.*",
        "openvino/libs/libopenvino_c.so.*",
        "openvino/libs/libopenvino_ir_frontend.so.*",
        "openvino/libs/libopenvino_onnx_frontend.so.*",
        "openvino/libs/libopenvino_intel_cpu_plugin.so",
        "openvino/libs/libopenvino_auto_plugin.so",
        "openvino/libs/libopenvino_auto_batch_plugin.so",
        "openvino/libs/libopenvino_hetero_plugin.so",
        "openvino/libs/libtbb*.so.*",
        "openvino/libs/libhwloc.so.*",
        "openvino-*.dist-info/licenses/*",
    ],
    "rapidocr_onnxruntime": ["rapidocr_onnxruntime/models/*.onnx"],
}


def wanted(name, patterns):
    return not name.endswith("/") and any(fnmatch.fnmatchcase(name, p) for p in patterns)


def stamp(wheel):
    script = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()
    return f"{wheel.name}\nunpack_wheels.py {script}\n"


def unpack(wheel, patterns, folder):
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if wanted(n, patterns)]
        for name in names:
            target = new / pathlib.PurePosixPath(name).name
            with archive.open(name) as source, open(target, "wb") as to:
                shutil.copyfileobj(source, to)
            if ".so" in target.name:
                target.chmod(0o755)
    # Short names as of an installed library: libonnxruntime.so.1, libopenvino_c.so.
    for library in list(new.glob("*.so.*")):
        stem, version = library.name.split(".so.")
        for short in {f"{stem}.so", f"{stem}.so.{version.split('.')[0]}"} - {library.name}:
            (new / short).symlink_to(library.name)
    (new / "WHEEL").write_text(stamp(wheel))
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def main():
    wheels, to = map(pathlib.Path, sys.argv[1:3])
    for name in sys.argv[3:]:
        found = sorted(wheels.glob(f"{name}-*.whl"))
        if len(found) != 1:
            sys.exit(f"{wheels} holds {len(found)} wheels of {name}; remove that folder and try again")
        made = to / name / "WHEEL"
        if not made.exists() or made.read_text() != stamp(found[0]):
            unpack(found[0], FILES[name], to / name)


main()
