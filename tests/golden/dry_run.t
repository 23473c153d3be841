# What a study would take, by its settings and by earlier runs.
$ jouleline run -m resnet18 -c fake-gpu/fp32+seed=7,fake-gpu/fp16+seed=7 -b 8 -r 2 --min-time 0.1 --max-time 0.1 -w 0.1 --idle 0.1 --seed 1 -q >/dev/null
$ jouleline run -m resnet18,resnet50 -c fake-gpu/fp32+seed=7,fake-gpu/fp16+seed=7 -b 1,8 -r 10 --dry-run
2 models x 2 configurations x 2 batches: 8 cells, 80 runs in 10 rounds
timed loops and warm-ups: 1 min 20 s to 17 min 20 s; start, load and check of every run come on top
by 4 earlier runs of 2 of 2 configurations: start <n> s, load <n> s, checks <n> s; in all <*> to <*>
device memory: up to <n> MiB in an earlier run
gpu 0: pairs of a model and batch: 1, for which Bonferroni needs 6 rounds; of a metric: 4, Bonferroni 8, joint sign flips 6
$ jouleline run -m resnet18 -c ort-cpu/fp32,fake-gpu/fp16+seed=7,fake-gpu/fp32+seed=7 -r 5 --dry-run
1 models x 3 configurations x 1 batches: 3 cells, 15 runs in 5 rounds
timed loops and warm-ups: 15 s to 3 min 15 s; start, load and check of every run come on top
by 4 earlier runs of 2 of 3 configurations: start <n> s, load <n> s, checks <n> s; in all <*> to <*>
device memory: up to <n> MiB in an earlier run
cpu 0: one configuration, no pairs
gpu 0: pairs of a model and batch: 1, for which Bonferroni needs 6 rounds (more than these); of a metric: 1, Bonferroni 6 (more than these), joint sign flips 6 (more than these)
$ jouleline run -m resnet18 -c fake-gpu/fp16 --dry-run --db none.db
1 models x 1 configurations x 1 batches: 1 cells, 10 runs in 10 rounds
timed loops and warm-ups: 10 s to 2 min 10 s; start, load and check of every run come on top
time by stage and device memory: none.db has no earlier run of these configurations
gpu 0: one configuration, no pairs
# The studies that come with the program are what they say.
$ for s in demo energy-paradox int8-cpu portability quick runtimes-cpu; do echo "$s: $(jouleline run $SOURCE/studies/$s.yaml --dry-run --db none.db | head -1)"; done
demo: 3 models x 2 configurations x 2 batches: 12 cells, 72 runs in 6 rounds
energy-paradox: 15 models x 4 configurations x 3 batches: 180 cells, 1800 runs in 10 rounds
int8-cpu: 6 models x 2 configurations x 2 batches: 24 cells, 240 runs in 10 rounds
portability: 30 models x 3 configurations x 1 batches: 90 cells, 90 runs in 1 rounds
quick: 4 models x 2 configurations x 2 batches: 16 cells, 160 runs in 10 rounds
runtimes-cpu: 16 models x 8 configurations x 1 batches: 128 cells, 128 runs in 1 rounds
