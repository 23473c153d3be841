# Probes: cells of the first three rounds that no table shows, from which roofs and energy model come.
$ jouleline run -m mobilenet_v2,resnet18,resnet50,vgg16 -c fake-gpu/fp32 -b 1,32 -r 4 --dry-run
4 models x 1 configurations x 2 batches: 8 cells, 32 runs in 4 rounds
probes of the roofs (--probes): 4 cells, 12 runs in the first rounds, 37.5 % more runs
timed loops and warm-ups: 44 s to 9 min 32 s; start, load and check of every run come on top
time by stage and device memory: jouleline.db has no earlier run of these configurations
gpu 0: one configuration, no pairs
$ jouleline run -m mobilenet_v2,resnet18,resnet50 -c fake-gpu/fp32,fake-cpu/fp32 -r 2 --probes on --dry-run --db none.db | head -2
3 models x 2 configurations x 1 batches: 6 cells, 12 runs in 2 rounds
probes of the roofs (--probes): 8 cells, 16 runs in the first rounds, 133.3 % more runs
$ jouleline run -m mobilenet_v2,resnet18,resnet50,vgg16 -c fake-gpu/fp32 -b 1,32 --probes off --dry-run --db none.db | head -2
4 models x 1 configurations x 2 batches: 8 cells, 80 runs in 10 rounds
timed loops and warm-ups: 1 min 20 s to 17 min 20 s; start, load and check of every run come on top
$ jouleline run -m resnet18 -c fake-gpu/fp32 --probes sometimes
! jouleline run: --probes: 'sometimes' is not one of off|on|auto|once
! Try 'jouleline run --help'.
? 2
$ jouleline run -m probe_chain_1x16x256 -c fake-gpu/fp32
! jouleline run: probe_chain_1x16x256 is no file and no model of the zoo: the zoo has no model 'probe_chain_1x16x256'; 'jouleline model list' shows all
? 1
# From the run to the report: 60 W, 10 pJ/FLOP and 60 pJ/byte come back, in size at least on a machine that is busy; unit tests hold them to 3 %.
$ jouleline run -m mobilenet_v2,resnet18,resnet50,vgg16 -c fake-gpu/fp32 -b 1,32 -r 1 --min-time 650ms --max-time 700ms -w 100ms --idle 300ms --retries 0 --seed 3 -q
simulated gpu 0: no comparison: fewer than two configurations ran the same cells
in a complete round.
$ jouleline report -s energy -o csv | tr -d '\r' | awk -F, 'BEGIN {t[2] = 60; t[3] = 10e-12; t[4] = 60e-12} NR > 1 && NR < 5 {r = $5 / t[NR]; print $4, (r > 0.3 && r < 3 ? "of the right size" : r)}'
static power of the right size
arithmetic of the right size
memory traffic of the right size
$ jouleline report -s roofline -o json | tr -d ' \n' | grep -o '"\(flop\|bytes\|dispatches\)_per_s":[0-9]' | cut -d: -f1
"flop_per_s"
"bytes_per_s"
"dispatches_per_s"
$ jouleline report -s cells -o csv | grep -c probe
0
? 1
$ jouleline report -s energy | grep -o 'cells of . models and . probes'
cells of 4 models and 4 probes
$ jouleline model export probe_read_8x16x1; jouleline model export probe_sort_8x16x1
! wrote probe_read_8x16x1.onnx
! jouleline model export: there is no probe 'probe_sort_8x16x1': a name is probe_matmul, probe_stream, probe_read or probe_chain with _ROWSxCOLUMNSxPASSES
? 1
