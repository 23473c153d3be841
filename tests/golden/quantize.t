# What model quantize (and its sisters) refuse, with the words that a user reads; nothing is written then.
$ jouleline model export mobilenet_v3_small -o m.onnx | wc -l
0
$ jouleline model quantize m.onnx --keep nobody
! jouleline model quantize: m.onnx: no node or operator of the model is called 'nobody'; 'jouleline model cost --by node' lists them
? 2
# --keep auto: one half of the samples calibrates and chooses, the other judges.
$ jouleline model quantize m.onnx --keep auto,nobody
! jouleline model quantize: m.onnx: no node or operator of the model is called 'nobody'; 'jouleline model cost --by node' lists them
? 2
$ jouleline model quantize m.onnx --keep auto -n 0
! jouleline model quantize: --samples: '0' is not between 1 and 1048576
! Try 'jouleline model quantize --help'.
? 2
$ jouleline model quantize m.onnx --keep auto -n 1
! jouleline model quantize: --keep auto needs 16 samples or more, and has 1: one half calibrates, the other judges; give more samples
? 2
$ jouleline model quantize m.onnx --keep auto,
! jouleline model quantize: --keep: an item of the list is empty
! Try 'jouleline model quantize --help'.
? 2
# How to read pictures, without pictures: refused in one place for all that runs a model on samples.
$ jouleline model quantize m.onnx --preprocess crop=224
! jouleline model quantize: --preprocess says how to read pictures: give --images too
? 2
$ jouleline model check m.onnx m.onnx --preprocess crop=224
! jouleline model check: --preprocess says how to read pictures: give --images too
? 2
$ jouleline model convert m.onnx --to mixed --preprocess crop=224
! jouleline model convert: --preprocess says how to read pictures: give --images too
? 2
$ jouleline model convert m.onnx --preprocess crop=224
! jouleline model convert: --images, --preprocess and --npy show the ranges for --to mixed
? 2
# Pictures: none, and one (48 x 48, grey).
$ mkdir none one; jouleline model quantize m.onnx --keep auto --images none
! jouleline model quantize: none holds 0 JPEG and PNG pictures, 1 or more are needed
? 2
$ printf '\x89PNG\r\n\x1a\n' > one/a.png; python3 -c 'import struct, zlib; part = lambda t, d: struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)); open("one/a.png", "ab").write(part(b"IHDR", struct.pack(">IIBBBBB", 48, 48, 8, 0, 0, 0, 0)) + part(b"IDAT", zlib.compress((b"\0" + b"\x80" * 48) * 48)) + part(b"IEND", b""))'; jouleline model quantize m.onnx --keep auto --images one
! jouleline model quantize: --keep auto needs 16 samples or more, and has 1: one half calibrates, the other judges; give more samples
? 2
$ ls
m.onnx
none
one
