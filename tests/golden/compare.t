# Regressions: two stores, two configurations, two models.
$ make_store small small.db; make_store small-worse worse.db; jouleline compare --base small.db --new worse.db
Regression: of 8 comparisons 4 worse than the margin, 4 within it, 0 undecided (unpaired, measured).

worse.db (new) against small.db (base)

cell                      base     new  new /       interval  rounds  verdict
                                         base
----------------------  ------  ------  -----  -------------  ------  ----------
Latency, ms per call, margin 3 %
resnet18, batch 1,       20.12   20.12  1.000  0.9886..1.012      10  pass
ort-cpu/fp32
resnet18, batch 1,       29.80   32.78  1.100   1.089..1.111      10  regression
ort-cpu/fp32+threads=1
mobilenet_v2, batch 1,   10.03   10.03  1.000  0.9878..1.012      10  pass
ort-cpu/fp32
mobilenet_v2, batch 1,   15.01   16.51  1.100   1.090..1.110      10  regression
ort-cpu/fp32+threads=1

Energy, J per item, margin 5 %
resnet18, batch 1,      0.4013  0.4013  1.000  0.9918..1.008      10  pass
ort-cpu/fp32
resnet18, batch 1,      0.6030  0.6632  1.100   1.081..1.119      10  regression
ort-cpu/fp32+threads=1
mobilenet_v2, batch 1,  0.1999  0.1999  1.000  0.9879..1.012      10  pass
ort-cpu/fp32
mobilenet_v2, batch 1,  0.3005  0.3305  1.100   1.081..1.119      10  regression
ort-cpu/fp32+threads=1

Intervals hold with 98.9 %.
Unpaired: drift between the two measurements (temperature, load, clocks) is part
of the difference. Intervals are simultaneous over the cells of a metric
(Bonferroni).
? 3
$ jouleline compare --base worse.db --new small.db -o md
|### jouleline: Pass: of 8 comparisons 0 worse than the margin, 8 within it, 0 undecided (unpaired, measured).

`small.db` against `worse.db`

**Latency, ms per call, margin 3 %**

|| cell | base | new | new / base | interval | rounds | verdict |
||---|---:|---:|---:|---:|---:|---|
|| resnet18, batch 1, ort-cpu/fp32 | 20.12 | 20.12 | 1.000 | 0.9886..1.012 | 10 | pass |
|| resnet18, batch 1, ort-cpu/fp32+threads=1 | 32.78 | 29.80 | 0.9091 | 0.9002..0.9181 | 10 | pass |
|| mobilenet_v2, batch 1, ort-cpu/fp32 | 10.03 | 10.03 | 1.000 | 0.9878..1.012 | 10 | pass |
|| mobilenet_v2, batch 1, ort-cpu/fp32+threads=1 | 16.51 | 15.01 | 0.9091 | 0.9009..0.9174 | 10 | pass |

**Energy, J per item, margin 5 %**

|| cell | base | new | new / base | interval | rounds | verdict |
||---|---:|---:|---:|---:|---:|---|
|| resnet18, batch 1, ort-cpu/fp32 | 0.4013 | 0.4013 | 1.000 | 0.9918..1.008 | 10 | pass |
|| resnet18, batch 1, ort-cpu/fp32+threads=1 | 0.6632 | 0.6030 | 0.9091 | 0.8936..0.9248 | 10 | pass |
|| mobilenet_v2, batch 1, ort-cpu/fp32 | 0.1999 | 0.1999 | 1.000 | 0.9879..1.012 | 10 | pass |
|| mobilenet_v2, batch 1, ort-cpu/fp32+threads=1 | 0.3305 | 0.3005 | 0.9091 | 0.8936..0.9249 | 10 | pass |

Intervals hold with 98.9 %.

Unpaired: drift between the two measurements (temperature, load, clocks) is part of the difference. Intervals are simultaneous over the cells of a metric (Bonferroni).
$ jouleline compare --base small.db --new worse.db -o csv --margin-latency 20 | tr -d '\r' | cut -d, -f1,5,8,11-15,17-18
model_base,configuration_base,metric,ratio,low,high,level,rounds,verdict,rounds_needed
resnet18,ort-cpu/fp32,latency_ns,1,0.988629922,1.01150084,0.988503756,10,pass,
resnet18,ort-cpu/fp32+threads=1,latency_ns,1.1,1.08926451,1.11084129,0.988503756,10,pass,
mobilenet_v2,ort-cpu/fp32,latency_ns,1,0.987816965,1.01233329,0.988503756,10,pass,
mobilenet_v2,ort-cpu/fp32+threads=1,latency_ns,1.1,1.09006224,1.11002836,0.988503756,10,pass,
resnet18,ort-cpu/fp32,energy_j_per_item,1,0.991798479,1.00826934,0.988503756,10,pass,
resnet18,ort-cpu/fp32+threads=1,energy_j_per_item,1.1,1.0812959,1.11902764,0.988503756,10,regression,
mobilenet_v2,ort-cpu/fp32,energy_j_per_item,1,0.987941517,1.01220566,0.988503756,10,pass,
mobilenet_v2,ort-cpu/fp32+threads=1,energy_j_per_item,1.1,1.08119685,1.11913016,0.988503756,10,regression,
$ jouleline compare --base small.db --new worse.db --margin-latency 10 --margin-energy 10 -o json | grep -E '"(verdict|rounds_needed)"'
  "verdict": "inconclusive",
      "verdict": "pass",
      "rounds_needed": null,
      "verdict": "inconclusive",
      "rounds_needed": null,
      "verdict": "pass",
      "rounds_needed": null,
      "verdict": "inconclusive",
      "rounds_needed": null,
      "verdict": "pass",
      "rounds_needed": null,
      "verdict": "inconclusive",
      "rounds_needed": null,
      "verdict": "pass",
      "rounds_needed": null,
      "verdict": "inconclusive",
      "rounds_needed": null,
# Too few rounds, nothing in common, another host.
$ make_store one one.db; jouleline compare --base small.db --new one.db | sed -n 1,10p; jouleline compare --base small.db --new one.db >/dev/null
Inconclusive: of 8 comparisons 0 worse than the margin, 0 within it, 8 undecided (unpaired, measured).

one.db (new) against small.db (base)

cell                          base     new   new /  rounds  verdict       rounds
                                              base                        needed
--------------------------  ------  ------  ------  ------  ------------  ------
Latency, ms per call, margin 3 %
resnet18, batch 1,           20.12   19.97  0.9925       1  inconclusive       6
ort-cpu/fp32
? 4
$ make_store simulated sim.db; jouleline compare --base small.db --new sim.db
! jouleline compare: small.db and sim.db have no cell in common (model, configuration, batch)
? 4
$ make_store small there.db there; jouleline compare --base small.db --new there.db
! jouleline compare: the stores come from different hosts, so that a difference says nothing of the new version; --allow-different-host compares them all the same
? 4
$ jouleline compare --base small.db --new there.db --allow-different-host | head -1
Inconclusive: of 8 comparisons 0 worse than the margin, 4 within it, 4 undecided (unpaired, measured).
# Measured now, in the same rounds.
$ jouleline compare --base fake-gpu/fp16+seed=7 --new fake-gpu/fp32+seed=7 -m resnet18 -b 8 -r 6 --min-time 0.3 --max-time 0.3 -w 0.1 --idle 0.2 -q -o csv | tr -d '\r' | cut -d, -f1,2,5,6,8,15,17 | grep latency
resnet18,resnet18,fake-gpu/fp16+seed=7,fake-gpu/fp32+seed=7,latency_ns,6,regression
$ jouleline compare --base resnet18 --new resnet50 -c fake-gpu/fp32+seed=7 -b 8 -r 2 --min-time 0.1 --max-time 0.1 -w 0.1 --idle 0.1 -q | head -1
Inconclusive: of <n> comparisons 0 worse than the margin, 0 within it, <n> undecided (paired by rounds, simulated).
# Bad words.
$ jouleline compare --base small.db
! jouleline compare: --base and --new name what is compared
? 2
$ jouleline compare --base small.db --new small.db
! jouleline compare: --base and --new are the same
? 2
$ jouleline compare --base small.db --new resnet18
! jouleline compare: --base small.db is a store, --new resnet18 is a model: compare two of one kind
? 2
$ jouleline compare --base resnet18 --new resnet50
! jouleline compare: two models need a configuration to run on: --config
? 2
$ jouleline compare --base ort-cpu/fp32 --new ort-cpu/fp32+threads=1
! jouleline compare: two configurations need a model to run: --model
? 2
$ jouleline compare --base ort-cpu/fp32@1 --new ort-cpu/fp32@2 -m resnet18
! jouleline compare: ort-cpu/fp32@1 and ort-cpu/fp32@2 differ in the device at most: 'jouleline run' measures both, 'jouleline report --section devices' compares them
? 2
$ jouleline compare --base resnet18 --new resnet81 -c fake-gpu/fp32
! jouleline compare: resnet81 is no file and no model of the zoo: the zoo has no model 'resnet81', did you mean 'resnet18'?; 'jouleline model list' shows all
? 1
$ jouleline compare --base none.db --new small.db
! jouleline compare: cannot read the store none.db (name another with --db, or measure first with 'jouleline run'): No such file or directory
? 1
