"""Writing all fifteen zoo models against dd writing the same bytes: at most 2.5 times as long.

The two alternate model by model in the same folder and run, each file removed before the next, and
the whole is repeated; the ratio is of the sums of the medians."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

LIMIT, ROUNDS = 2.5, 5


def seconds(command, path):
    start = time.monotonic()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    took = time.monotonic() - start
    size = os.path.getsize(path)
    os.unlink(path)
    return took, size


def main():
    jouleline = os.environ["JOULELINE"]
    listed = subprocess.run([jouleline, "model", "list", "-o", "json"], check=True, capture_output=True)
    names = [m["model"] for m in json.loads(listed.stdout) if "+" not in m["model"]]
    export, dd, sizes = ({name: [] for name in names} for _ in range(3))
    with tempfile.TemporaryDirectory(dir=os.environ["BUILD"]) as folder:
        path = os.path.join(folder, "file")
        for _ in range(ROUNDS):
            for name in names:
                took, size = seconds([jouleline, "model", "export", name, "-o", path], path)
                export[name].append(took)
                sizes[name] = size
                blocks = ["if=/dev/zero", "bs=1M", f"count={size}", "iflag=count_bytes"]
                dd[name].append(seconds(["dd", *blocks, f"of={path}"], path)[0])
    total = {kind: sum(statistics.median(t[name]) for name in names) for kind, t in (("export", export), ("dd", dd))}
    gigabytes = sum(sizes.values()) / 1e9
    for name in names:
        print(f"{name:20} {sizes[name] / 1e6:7.1f} MB  export {statistics.median(export[name]):6.3f} s"
              f"  dd {statistics.median(dd[name]):6.3f} s")
    ratio = total["export"] / total["dd"]
    print(f"all {len(names)}: {gigabytes:.2f} GB, export {total['export']:.2f} s, dd {total['dd']:.2f} s, "
          f"ratio {ratio:.2f} (at most {LIMIT})")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
