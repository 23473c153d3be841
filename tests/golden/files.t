# What the commands that read and write models do with names that are no files, and with files that are none. Nothing
# is put in the place of a folder, a device or a pipe, and nothing is left behind.
$ jouleline model export shufflenet_v2_x1_0 -o m.onnx; mkdir folder; mkfifo pipe.onnx; : > empty.onnx
$ jouleline model convert shufflenet_v2_x1_0
! jouleline model convert: shufflenet_v2_x1_0 is a model of the zoo and no file here: write it with 'jouleline model export shufflenet_v2_x1_0'
? 2
$ jouleline model quantize shufflenet_v2_x1_0
! jouleline model quantize: shufflenet_v2_x1_0 is a model of the zoo and no file here: write it with 'jouleline model export shufflenet_v2_x1_0'
? 2
$ jouleline model check shufflenet_v2_x1_0
! jouleline model check: shufflenet_v2_x1_0 is a model of the zoo and no file here: write it with 'jouleline model export shufflenet_v2_x1_0'
? 2
$ for o in folder pipe.onnx no/such/folder/x.onnx; do jouleline model convert m.onnx -o $o; done
! jouleline model convert: cannot write folder: it is a folder; name a file in it
! jouleline model convert: cannot write pipe.onnx: it is a device or a pipe; name a file
! jouleline model convert: cannot create no/such/folder/x.onnx: No such file or directory
? 1
$ for o in folder pipe.onnx no/such/folder/x.onnx; do jouleline model quantize m.onnx -n 1 -o $o; done
! jouleline model quantize: cannot write folder: it is a folder; name a file in it
! jouleline model quantize: cannot write pipe.onnx: it is a device or a pipe; name a file
! jouleline model quantize: cannot create no/such/folder/x.onnx: No such file or directory
? 1
$ jouleline model export shufflenet_v2_x1_0 -o pipe.onnx
! jouleline model export: cannot write pipe.onnx: it is a device or a pipe; name a file
? 2
$ for m in folder pipe.onnx empty.onnx none.onnx; do jouleline model convert $m -o out.onnx; done
! jouleline model convert: folder is not a regular file
! jouleline model convert: pipe.onnx is not a regular file
! jouleline model convert: empty.onnx: empty: not an ONNX model
! jouleline model convert: cannot open none.onnx: No such file or directory
? 1
$ for m in folder pipe.onnx empty.onnx none.onnx; do jouleline model check m.onnx $m; done
! jouleline model check: folder is not a regular file
! jouleline model check: pipe.onnx is not a regular file
! jouleline model check: empty.onnx: empty: not an ONNX model
! jouleline model check: cannot open none.onnx: No such file or directory
? 1
$ jouleline run -m empty.onnx -c fake-cpu/fp32 -r 1 -q --db e.db >run.txt; jouleline report --db e.db -o csv | cut -d, -f9,10
outcome,message
invalid,empty.onnx: empty: not an ONNX model
! empty fake-cpu/fp32 batch 1: invalid: empty.onnx: empty: not an ONNX model
# A model may be written over itself, and through a link, which stays.
$ cp m.onnx self.onnx; ln -s self.onnx link.onnx; jouleline model convert self.onnx -o link.onnx | head -1; readlink link.onnx; jouleline model convert self.onnx -o self.onnx | head -1
link.onnx: <n> nodes, <n> in fp16, <n> without FP32, 0 kept in FP32
self.onnx
self.onnx: <n> nodes, 0 in fp16, <n> without FP32, 0 kept in FP32
# A disk that takes no more, by a limit on the size of files.
$ ulimit -f 100; jouleline model convert m.onnx -o big.onnx
! jouleline model convert: m.onnx: cannot write big.onnx: File too large
? 1
$ ulimit -f 100; jouleline model export shufflenet_v2_x1_0 -o big.onnx
! jouleline model export: cannot write big.onnx: File too large
? 1
$ ulimit -f 5000; XDG_CACHE_HOME=$PWD/cache jouleline run -m shufflenet_v2_x1_0 -c ort-cpu/fp32 -r 1 -q --db full.db
! jouleline run: shufflenet_v2_x1_0: cannot write <*>/shufflenet_v2_x1_0.onnx: File too large; make room, or name other folders: XDG_CACHE_HOME for models, TMPDIR for inputs
? 1
$ ulimit -f 5000; jouleline run -m m.onnx -c fake-cpu/fp32 -b 16 -r 1 -q --db full.db 2>&1 | tail -1
jouleline run: m: cannot write <*>/inputs-<*>: File too large; make room, or name other folders: XDG_CACHE_HOME for models, TMPDIR for inputs
$ python3 -c 'import sqlite3; print(sqlite3.connect("full.db").execute("SELECT count(*) FROM run").fetchone())'; rm -r full.db* cache
(0,)
# Files that are no arrays, or not those that the model takes.
$ python3 - <<'PY'
> import struct
> def npy(name, descr, shape, data, order=False):
>     head = ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)).encode()
>     head += b" " * (-(len(head) + 11) % 64) + b"\n"
>     open(name, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
> n = 3 * 224 * 224
> npy("double.npy", "<f8", (1, 3, 224, 224), bytes(8 * n))
> npy("small.npy", "<f4", (2, 3, 8, 8), bytes(4 * 384))
> npy("fortran.npy", "<f4", (1, 3, 224, 224), bytes(4 * n), True)
> npy("cut.npy", "<f4", (1, 3, 224, 224), bytes(100))
> npy("none.npy", "<f4", (0, 3, 224, 224), b"")
> npy("grey.npy", "<f4", (2, 3, 224, 224), struct.pack("<f", 0.5) * (2 * n))
> open("text.npy", "w").write("no array")
> PY
$ for f in double small fortran cut none text; do jouleline model check m.onnx --npy $f.npy; done
! jouleline model check: double.npy is double[1, 3, 224, 224] and input 'input' takes float[?, 3, 224, 224]: save items of that type and shape along the first axis, which are given 1 a call
! jouleline model check: small.npy is float[2, 3, 8, 8] and input 'input' takes float[?, 3, 224, 224]: save items of that type and shape along the first axis, which are given 1 a call
! jouleline model check: fortran.npy: it is in Fortran order; save numpy.ascontiguousarray(x)
! jouleline model check: cut.npy: it is truncated: its shape needs more than <n> bytes
! jouleline model check: none.npy holds 0 items, 1 or more are needed
! jouleline model check: text.npy: it is no .npy file; numpy.save writes one
? 1
# Samples that say little of the ranges.
$ jouleline model quantize m.onnx --npy grey.npy -o q.onnx | tail -1
caution: every sample was one number in all its places; ranges hold for inputs like those seen: give samples that differ, as the real ones do
$ jouleline model quantize m.onnx -n 1 -o q.onnx | tail -1
caution: there was one sample; ranges hold for inputs like those seen: give samples that differ, as the real ones do
$ jouleline model convert m.onnx --to mixed -n 1 -o x.onnx | tail -1
caution: there was one sample; ranges hold for inputs like those seen: give samples that differ, as the real ones do
$ jouleline model convert m.onnx --to mixed -n 2 -o x.onnx | grep -c caution
0
? 1
$ ls
cut.npy
double.npy
e.db
empty.onnx
folder
fortran.npy
grey.npy
link.onnx
m.onnx
none.npy
pipe.onnx
q.onnx
run.txt
self.onnx
small.npy
text.npy
x.onnx
# Runtimes and meters of others: a wrong version, a missing hook, and what is no such library.
$ export P=$(dirname $(command -v jouleline))/plugins; for p in old_abi.so no_infer.so no_entry.so; do jouleline doctor --plugin $P/$p; done 2>&1 | sed "s|$P/||g"
jouleline doctor: runtime plugin old_abi.so was built for runtime ABI 42 and this jouleline has <n>; build it again with this version's include/jouleline/runtime.h
jouleline doctor: runtime plugin no_infer.so lacks 'infer'; see include/jouleline/runtime.h
jouleline doctor: runtime plugin no_entry.so: no_entry.so has no symbol jouleline_runtime; such a plugin is a shared object that exports jouleline_runtime() (include/jouleline/runtime.h)
$ for p in empty.onnx folder none.so; do jouleline run -m m.onnx -c mean-host/fp32 --plugin $p 2>&1 | sed "s|$PWD/||g"; done
jouleline run: runtime plugin empty.onnx: cannot load empty.onnx: empty.onnx: file too short; such a plugin is a shared object that exports jouleline_runtime() (include/jouleline/runtime.h)
jouleline run: runtime plugin folder: cannot load folder: folder: cannot read file data: Is a directory; such a plugin is a shared object that exports jouleline_runtime() (include/jouleline/runtime.h)
jouleline run: cannot open the runtime plugin none.so: No such file or directory
# Calls in flight.
$ for n in 0 65 x 1.5; do jouleline run -m m.onnx -c fake-cpu/fp32 --in-flight $n 2>&1 | head -1; done
jouleline run: --in-flight: '0' is not between 1 and 64
jouleline run: --in-flight: '65' is not between 1 and 64
jouleline run: --in-flight: 'x' is not a whole number
jouleline run: --in-flight: '1.5' is not a whole number
