# A study on the simulated device, from measuring to reporting.
$ jouleline run -m resnet18,mobilenet_v2 -c fake-gpu/fp32+seed=7,fake-gpu/fp16+seed=7 -b 8 -r 6 --min-time 0.7 --max-time 0.7 -w 0.1 --idle 0.3 --seed 1 -q
On simulated gpu 0 (simulated), fake-gpu/fp16+seed=7 uses the fewest joules per
inference: 0.<*> times that of the next, fake-gpu/fp32+seed=7 (96.9 % interval
0.<*> p = 0.031; 6 rounds, 2 cells, simulated).
$ jouleline report | head -1
On simulated gpu 0 (simulated), fake-gpu/fp16+seed=7 uses the fewest joules per
$ jouleline report | grep Medians
Medians over 6 rounds; intervals are order statistics that hold with 96.9 %.
$ jouleline report -o csv | cut -d, -f1-5,7-9
model,family,configuration,device,device_uuid,batch,in_flight,outcome
resnet18,standard,fake-gpu/fp16+seed=7,simulated gpu 0,FAKE-gpu-0,8,1,ok
resnet18,standard,fake-gpu/fp32+seed=7,simulated gpu 0,FAKE-gpu-0,8,1,ok
mobilenet_v2,lightweight,fake-gpu/fp16+seed=7,simulated gpu 0,FAKE-gpu-0,8,1,ok
mobilenet_v2,lightweight,fake-gpu/fp32+seed=7,simulated gpu 0,FAKE-gpu-0,8,1,ok
$ jouleline report -o json | grep -c '"energy_j_per_item": [0-9.]*e\?-\?[0-9]*,'
4
$ jouleline run studies/none.yaml 2>&1 | head -1
jouleline run: cannot open the study file studies/none.yaml: No such file or directory
$ jouleline run $SOURCE/studies/energy-paradox.yaml --dry-run
15 models x 4 configurations x 3 batches: 180 cells, 1800 runs in 10 rounds
probes of the roofs (--probes): 16 cells, 48 runs in the first rounds, 2.7 % more runs
timed loops and warm-ups: 30 min 48 s to 2 h 3 min; start, load and check of every run come on top
time by stage and device memory: jouleline.db has no earlier run of these configurations
cuda 0: pairs of a model and batch: 6, for which Bonferroni needs 8 rounds; of a metric: 270, Bonferroni 14 (more than these), joint sign flips 6
$ jouleline merge jouleline.db --db merged.db; jouleline merge jouleline.db --db merged.db
jouleline.db: 1 new studies, 6 new rounds, 24 new runs
jouleline.db: 0 new studies, 0 new rounds, 0 new runs
