# The sections of a report, on stores of known content.
$ make_store small small.db; jouleline report --db small.db
On a processor, ort-cpu/fp32 uses the fewest joules per inference: 0.665 times
that of the next, ort-cpu/fp32+threads=1 (95.1 % interval 0.661 to 0.671, p =
0.002; 10 rounds, 2 cells, measured).

a processor: 2 models, 2 configurations, 1 batch; 4 cells, all ran.
10 rounds, 40 runs.
Joules: cpu-0 (test).

Findings

Nothing was shown beyond the sentence at the top.

batch  configuration           latency      interval  energy        interval
                               ms/call                J/item
-----  ----------------------  -------  ------------  ------  --------------
resnet18
    1  ort-cpu/fp32              20.12  19.89..20.22  0.4013  0.3979..0.4022
    1  ort-cpu/fp32+threads=1    29.80  29.63..30.09  0.6030  0.5944..0.6058

mobilenet_v2
    1  ort-cpu/fp32              10.03  9.919..10.12  0.1999  0.1980..0.2009
    1  ort-cpu/fp32+threads=1    15.01  14.88..15.04  0.3005  0.2949..0.3048

Medians over 10 rounds; intervals are order statistics that hold with 97.9 %.
$ jouleline report --db small.db -s pairs -o md
On a processor, ort-cpu/fp32 uses the fewest joules per inference: 0.665 times that of the next, ort-cpu/fp32+threads=1 (95.1 % interval 0.661 to 0.671, p = 0.002; 10 rounds, 2 cells, measured).

|### Pairs of configurations: p Holm is corrected within this model and batch, p study over all

**resnet18, batch 1: latency**

|| new | base | new / base | interval | effect (rank-biserial) | p Holm | p study |
||---|---|---:|---:|---:|---:|---:|
|| ort-cpu/fp32+threads=1 | ort-cpu/fp32 | 1.486 | 1.475..1.495 | 1.000 | 0.002 | 0.002 |

**mobilenet_v2, batch 1: latency**

|| new | base | new / base | interval | effect (rank-biserial) | p Holm | p study |
||---|---|---:|---:|---:|---:|---:|
|| ort-cpu/fp32+threads=1 | ort-cpu/fp32 | 1.495 | 1.480..1.509 | 1.000 | 0.002 | 0.002 |

**resnet18, batch 1: energy**

|| new | base | new / base | interval | effect (rank-biserial) | p Holm | p study |
||---|---|---:|---:|---:|---:|---:|
|| ort-cpu/fp32+threads=1 | ort-cpu/fp32 | 1.502 | 1.487..1.512 | 1.000 | 0.002 | 0.002 |

**mobilenet_v2, batch 1: energy**

|| new | base | new / base | interval | effect (rank-biserial) | p Holm | p study |
||---|---|---:|---:|---:|---:|---:|
|| ort-cpu/fp32+threads=1 | ort-cpu/fp32 | 1.501 | 1.485..1.523 | 1.000 | 0.002 | 0.002 |

Intervals hold with 95.1 %.

Over 10 rounds.

Below 1 the new one takes less. Section audit: what is not held equal.
$ jouleline report --db small.db -s cells -o latex
% needs \usepackage{booktabs}

\paragraph{cells}

\begin{tabular}{rlrrrrr}
\toprule
batch & configuration & latency ms/call & interval & items/s & energy J/item & interval \\
\midrule
\multicolumn{7}{l}{resnet18} \\
1 & ort-cpu/fp32 & 20.12 & 19.89--20.22 & 49.70 & 0.4013 & 0.3979--0.4022 \\
1 & ort-cpu/fp32+threads=1 & 29.80 & 29.63--30.09 & 33.56 & 0.6030 & 0.5944--0.6058 \\
\midrule
\multicolumn{7}{l}{mobilenet\_v2} \\
1 & ort-cpu/fp32 & 10.03 & 9.919--10.12 & 99.75 & 0.1999 & 0.1980--0.2009 \\
1 & ort-cpu/fp32+threads=1 & 15.01 & 14.88--15.04 & 66.62 & 0.3005 & 0.2949--0.3048 \\
\bottomrule
\end{tabular}

Medians over 10 rounds; intervals are order statistics that hold with 97.9 \%.
$ jouleline report --db small.db -s cells -o jsonl | cut -d, -f1,2,9 | head -2
{"model":"resnet18","family":"standard","outcome":"ok"
{"model":"resnet18","family":"standard","outcome":"ok"
$ jouleline report --db small.db -s pairs,audit -o csv | cut -d, -f1-9 | tr -d '\r'
section,model,batch,in_flight,device,device_uuid,metric,new,base
pairs,resnet18,1,1,a processor,cpu-0,latency_ns,ort-cpu/fp32+threads=1,ort-cpu/fp32
pairs,mobilenet_v2,1,1,a processor,cpu-0,latency_ns,ort-cpu/fp32+threads=1,ort-cpu/fp32
pairs,resnet18,1,1,a processor,cpu-0,energy_j_per_item,ort-cpu/fp32+threads=1,ort-cpu/fp32
pairs,mobilenet_v2,1,1,a processor,cpu-0,energy_j_per_item,ort-cpu/fp32+threads=1,ort-cpu/fp32

section,device,base,new,fact,base_value,new_value,cells

section,fact,value,missing_because,devices
measured_on,processor,,not noted when this was measured,
measured_on,frequency governor,,not noted when this was measured,
measured_on,kernel,,not noted when this was measured,
$ jouleline report --db small.db -s pairs -o json | grep -E 'ratio|"p_|level' | head -5
      "ratio": 1.48573887,
      "level": 0.951171875,
      "p_least": 0.001953125,
      "p_bonferroni": 0.001953125,
      "p_holm": 0.001953125,
$ jouleline report --db small.db -s pairs --baseline ort-cpu/fp3
! jouleline report: the study has no configuration 'ort-cpu/fp3'; section cells names those that it has
? 2
$ jouleline report --db small.db -s cels
! jouleline report: there is no section 'cels', did you mean 'cells'; --help lists them
? 2
# Joules by cause on a device of known coefficients: 60 W, 5 pJ/FLOP, 80 pJ/byte.
$ make_store simulated sim.db; jouleline report --db sim.db -s energy | sed -n '/^Where/,/models left out/p'
Where the joules go: joules = power x time + arithmetic + memory traffic

term            value  unit         interval  told apart
--------------  -----  -------  ------------  ----------
fake-sim/fp32, simulated (simulated)
static power    60.06  W        59.93..60.22  yes
arithmetic      5.022  pJ/FLOP  5.005..5.041  yes
memory traffic  80.03  pJ/byte  79.53..80.46  yes

Intervals hold with 95.0 %.
fake-sim/fp32, simulated (simulated): static power 60.06 W; measured idle: 20.00
W asleep, 45.00 W with a model loaded. 45 cells of 15 models and 3 probes; on
models left out of the fit it errs by 0.4 % (time alone 27.2 %, FLOP alone 35.0
$ jouleline report --db sim.db -s roofline | sed -n '1,/^m1 /p'
simulated: no comparison: fewer than two configurations ran the same cells in a
complete round.

Roofs: the most that each configuration reached in a probe

configuration  compute  memory  dispatch     memory binds
               GFLOP/s    GB/s   us/node  below FLOP/byte
-------------  -------  ------  --------  ---------------
fake-sim/fp32     9977   500.5     9.969            19.93

A probe is a synthetic model that does one thing: large matrix products
(compute), a pass over far more data than caches hold (memory), or hundreds of
tiny nodes (dispatch: what starting one node takes). Each was run like every
model, through the same runtime and precision.

Which roof binds each cell

model  batch  FLOP /  compute   memory  dispatch    took  bound by  reached
                byte       ms       ms        ms      ms
-----  -----  ------  -------  -------  --------  ------  --------  -------
fake-sim/fp32
m0         1   13.33  0.06014  0.08990     1.495   1.503  dispatch    100 %
m0         8   13.33   0.4811   0.7192     1.495   1.492  dispatch    100 %
m0        32   13.33    1.925    2.877     1.495   2.886  memory      100 %
m1         1   13.33  0.08019   0.1199     2.393   2.400  dispatch    100 %
$ jouleline report --db sim.db -s paradox | sed -n '/Fewer/,$p'
Fewer operations, more energy

fewer FLOP  more FLOP  FLOP ratio  J/item ratio      interval      p     net
----------  ---------  ----------  ------------  ------------  -----  ------
fake-sim/fp32, batch 1, simulated (simulated)
m3          m5             0.5278         3.938  3.889..3.991  0.002   2.250
m14         m5             0.8333         2.988  2.963..3.020  0.002   1.883
m10         m6             0.7808         2.577  2.532..2.608  0.002   1.630
m1          m5             0.2222         2.549  2.520..2.580  0.002   1.360
m10         m7             0.6951         2.309  2.286..2.338  0.002   1.441

fake-sim/fp32, batch 8, simulated (simulated)
m2          m0             0.5000         1.138  1.127..1.150  0.002  0.8465
m3          m14            0.6333         1.088  1.081..1.105  0.002  0.9349

Intervals hold with 95.1 %.
The model on the left needs at least 10 % fewer FLOP than the one beside it and
takes more than 1.05 times its joules per item. p: one-sided against 1.05, by
joint sign flips over all pairs of the device, configuration and batch; net: the
ratio without the power of the idle device with a model loaded.
7 of 22 estimated pairs: those shown by the test, at most 5 of a configuration
and batch, the largest first; -o csv has them all.
Simulated: these numbers come from a simulated device.

Why, and what helps

model  cause                                    larger batch
-----  ---------------------------------------  ------------------
fake-sim/fp32, batch 1, simulated (simulated)
m3     static power while nodes are dispatched  at 32: 6.63 (6.61)
m14    static power while nodes are dispatched  at 32: 4.28 (4.28)
m10    static power while nodes are dispatched  at 32: 3.85 (3.84)
m1     static power while nodes are dispatched  at 32: 9.49 (9.53)

fake-sim/fp32, batch 8, simulated (simulated)
m2     static power while nodes are dispatched  at 32: 2.54 (2.56)
m3     static power while nodes are dispatched  at 32: 1.32 (1.32)

How many times fewer joules per item the model takes then, as measured in this
study and, in brackets, by the energy model at the share of the binding roof
that other models of its family reach there. At most: what the roofs allow
without dispatch, not measured.
$ jouleline report --db sim.db -s paradox -o csv | tr -d '\r' | cut -d, -f4,5,6,18,19,20,26 | head -4
small,large,flop_ratio,batching_to,batching_predicted,batching_measured,simulated
m3,m5,0.527777778,32,6.60882113,6.62669149,1
m14,m5,0.833333333,32,4.2772334,4.27562506,1
m10,m6,0.780821918,32,3.84476197,3.85150696,1
# One round, equal values, missing rounds, no joules: said, and no number that the data cannot carry.
$ make_store one one.db; jouleline report --db one.db -s pairs
On a processor, ort-cpu/fp32 used the fewest joules per inference in the only
round so far: 0.663 times that of the next, ort-cpu/fp32+threads=1 (no test is
possible below 6 rounds; 1 round, 2 cells, measured).

Pairs of configurations: p Holm is corrected within this model and batch, p
study over all

new                     base          new / base
----------------------  ------------  ----------
resnet18, batch 1: latency
ort-cpu/fp32+threads=1  ort-cpu/fp32       1.494

mobilenet_v2, batch 1: latency
ort-cpu/fp32+threads=1  ort-cpu/fp32       1.515

resnet18, batch 1: energy
ort-cpu/fp32+threads=1  ort-cpu/fp32       1.496

mobilenet_v2, batch 1: energy
ort-cpu/fp32+threads=1  ort-cpu/fp32       1.519

No interval: at 95 % it needs at least 6 rounds.
1 complete round: no test is possible, and these ratios may be chance. One pair
needs at least 6 rounds, 1 pair of one model and batch 6 (Bonferroni).
Below 1 the new one takes less. Section audit: what is not held equal.
$ jouleline report --db one.db -s families,batch,int8,devices,paradox,energy,roofline | grep -ciE 'nan|inf '
0
? 1
$ make_store ties ties.db; jouleline report --db ties.db -s pairs -o csv | cut -d, -f10-16 | tr -d '\r'
low,high,level,rounds,left_out,effect,p
1.5,1.5,0.951171875,10,0,1,0.001953125
1.5,1.5,0.951171875,10,0,1,0.001953125
1.5,1.5,0.951171875,10,0,1,0.001953125
1.5,1.5,0.951171875,10,0,1,0.001953125
$ make_store holes holes.db; jouleline report --db holes.db -s cells | tail -5
    1 ort-cpu/fp32+threads=1   15.01 14.88..15.04 0.3005 0.2949..0.3048

Medians over 10 rounds; intervals are order statistics that hold with 96.1 % to
97.9 %.
8 of 10 rounds are complete; only these give pairs.
$ jouleline report --db holes.db -s pairs -o csv | cut -d, -f2,7,10,14,15 | tr -d '\r'
batch,new,low,left_out,effect
1,ort-cpu/fp32+threads=1,1.47388394,1,1
1,ort-cpu/fp32+threads=1,1.47474202,0,1
1,ort-cpu/fp32+threads=1,1.48747296,1,1
1,ort-cpu/fp32+threads=1,1.4843901,0,1
$ make_store no-joules none.db; jouleline report --db none.db -s energy
On a processor, ort-cpu/fp32 uses the least time per inference: 0.671 times that
of the next, ort-cpu/fp32+threads=1 (95.1 % interval 0.665 to 0.676, p = 0.002;
10 rounds, 2 cells, measured).

Where the joules go: joules = power x time + arithmetic + memory traffic

No fit: no joules were measured.
No joules: no meter here; 'jouleline doctor' says of every meter why, and what
would help.
# What a published study states.
$ make_store reference ref.db; jouleline report --db ref.db -s portability
On GeForce GTX 1650, ort-cuda/fp32 uses the fewest joules per inference: 0.673
times that of the next, ort-cuda/fp16 (95.1 % interval 0.673 to 0.673, p =
0.002; 10 rounds, 38 cells, measured).
On GeForce RTX 3060, ort-cuda/fp16 uses the fewest joules per inference: 0.845
times that of the next, ort-cuda/fp32 (95.1 % interval 0.845 to 0.845, p =
0.002; 10 rounds, 39 cells, measured).
On the CPU, ort-cpu/int8 uses the fewest joules per inference: 0.31 times that
of the next, ort-cpu/fp32 (95.1 % interval 0.31 to 0.31, p = 0.002; 10 rounds,
15 cells, measured).

What does not run, or runs wrongly

model             cells  batches
---------------  ------  -------
pytorch-cuda/fp16, GeForce GTX 1650: numerical
efficientnet_b3  1 of 3       32

ort-cuda/fp16, GeForce GTX 1650: unsupported: Type Error: Type parameter (T) of
  Optype (Add) bound to different types
vit_b_16         3 of 3  1 to 32
swin_t           3 of 3  1 to 32

ort-cuda/fp16, GeForce GTX 1650: numerical
efficientnet_b3  1 of 3       32

ort-cuda/fp16, GeForce RTX 3060: unsupported: Type Error: Type parameter (T) of
  Optype (Add) bound to different types
vit_b_16         3 of 3  1 to 32
swin_t           3 of 3  1 to 32
$ jouleline report --db ref.db -s findings | grep -v Query | sed -n '/^Findings/,/15 cells, measured/p'
Findings

Least energy or time:
On GeForce GTX 1650, ort-cuda/fp32 uses the fewest joules per inference: 0.673
times that of the next, ort-cuda/fp16 (95.1 % interval 0.673 to 0.673, p =
0.002; 10 rounds, 38 cells, measured).
      device_uid = 'GeForce GTX 1650' AND outcome = 'ok' AND round_complete = 1
      ORDER BY model, configuration, batch, round

On GeForce RTX 3060, ort-cuda/fp16 uses the fewest joules per inference: 0.845
times that of the next, ort-cuda/fp32 (95.1 % interval 0.845 to 0.845, p =
0.002; 10 rounds, 39 cells, measured).
      device_uid = 'GeForce RTX 3060' AND outcome = 'ok' AND round_complete = 1
      ORDER BY model, configuration, batch, round

On the CPU, ort-cpu/int8 uses the fewest joules per inference: 0.31 times that
of the next, ort-cpu/fp32 (95.1 % interval 0.31 to 0.31, p = 0.002; 10 rounds,
15 cells, measured).
$ jouleline report --db ref.db | grep -c '^INT8: what it saves'
1
$ jouleline report --db ref.db -s int8 | sed -n '/^INT8/,/^mnasnet/p'
INT8: what it saves and how it agrees with FP32

model               saved   new /         interval     p         top-1 as FP32
                             base
------------------ ------ ------- ---------------- ----- ---------------------
ort-cpu/int8 (new) against ort-cpu/fp32 (base): latency, the CPU, 10 rounds,
  batch 1
mobilenet_v2       54.0 %  0.4600   0.4599..0.4600 0.002   98.0 % (96.9..98.7)
mobilenet_v3_large 60.3 %  0.3971   0.3971..0.3972 0.002   98.2 % (97.2..98.9)
efficientnet_b0    66.6 %  0.3343   0.3342..0.3344 0.002   98.5 % (97.5..99.1)
efficientnet_b3    72.9 %  0.2714   0.2713..0.2714 0.002   98.8 % (97.9..99.3)
mnasnet1_0         79.1 %  0.2086   0.2085..0.2086 0.002   99.1 % (98.3..99.5)
$ jouleline report --db ref.db -s int8 | tr '\n' ' ' | grep -o 'over the items of the largest batch, which are noise: it does not transfer to real inputs'
over the items of the largest batch, which are noise: it does not transfer to real inputs
$ jouleline report --db ref.db -s cells,pairs,families,precision,batch,devices,portability,int8,audit,roofline,energy,paradox,findings | tail -n +4 | LC_ALL=C.UTF-8 grep -cE '^.{81}'
0
? 1
# Every finding's query gives the rows that it rests on.
$ jouleline report --db ref.db -s findings -o json | python3 -c 'import json,sqlite3,sys; db=sqlite3.connect("ref.db"); f=json.load(sys.stdin)["findings"]; print(len(f), [x["query"] for x in f if not db.execute(x["query"]).fetchone()])'
122 []
# Parts of one study from two hosts, with devices of one name: told apart, never paired.
$ make_store small-worse there.db there; jouleline merge small.db --db both.db; jouleline merge there.db --db both.db
small.db: 1 new studies, 10 new rounds, 40 new runs
there.db: 1 new studies, 10 new rounds, 40 new runs
$ jouleline report --db both.db -s devices | sed -n '1,/^Medians/p' | head -27
On a processor on here, ort-cpu/fp32 uses the fewest joules per inference: 0.665
times that of the next, ort-cpu/fp32+threads=1 (95.1 % interval 0.661 to 0.671,
p = 0.002; 10 rounds, 2 cells, measured).
On a processor on there, ort-cpu/fp32 uses the fewest joules per inference:
0.605 times that of the next, ort-cpu/fp32+threads=1 (95.1 % interval 0.601 to
0.61, p = 0.002; 10 rounds, 2 cells, measured).
(2 studies with the same settings are read as one; --study UID takes one alone,
--list names them.)

Devices against each other (unpaired)

model        batch new /      interval with sensors'  runs       p new takes
                    base                        gain
------------ ----- ----- ------------- ------------- ----- ------- ---------
a processor on there (new) against a processor on here (base), ort-cpu/fp32:
  latency
resnet18         1 1.000 0.9903..1.010               10+10       1 not shown
mobilenet_v2     1 1.000 0.9904..1.010               10+10       1 not shown

a processor on there (new) against a processor on here (base),
  ort-cpu/fp32+threads=1: latency
resnet18         1 1.100  1.092..1.108               10+10 4.3e-05 more
mobilenet_v2     1 1.100  1.092..1.108               10+10 4.3e-05 more

a processor on there (new) against a processor on here (base), ort-cpu/fp32:
  energy
resnet18         1 1.000 0.9927..1.007 0.8982..1.113 10+10       1 not shown
$ jouleline report --db both.db -s cells | tail -2
Medians over 10 rounds; intervals are order statistics that hold with 97.9 %.
Runs of several hosts (here, there): cells of different hosts are never paired.
$ jouleline report --db both.db -s findings | grep -A2 faster
a processor on here is faster than a processor on there in
ort-cpu/fp32+threads=1 at batch 1 for 2 of 2 models: throughput ratios 1.10
(Mann-Whitney, Holm over 4 comparisons, p at most 4.3e-05, 10 and 10 runs).
# What runs state of their own errors: marks in the cells, the parts of the variation, idle powers.
$ make_store errors errors.db; jouleline report --db errors.db -s cells,repeatability,idle | sed '1,/^$/d'
batch configuratio     in latency     interval energy       interval      net of
      n            flight ms/call              J/item                waking idle
                                                                          J/item
----- ------------ ------ ------- ------------ ------ -------------- -----------
resnet18
    1 ort-cpu/fp32      1   20.12 19.89..20.22 0.4013 0.3979..0.4022      0.2007
    1 ort-cpu/          1   29.80 29.63..30.09 0.6030 0.5944..0.6058      0.3015
      fp32+
      threads=1

mobilenet_v2
    1 ort-cpu/fp32      1  10.03* 9.919..10.12 0.1999 0.1980..0.2009     0.09993
    1 ort-cpu/          2   15.01 14.88..15.04 0.3005 0.2949..0.3048 within idle
      fp32+
      threads=1

Medians over 10 rounds; intervals are order statistics that hold with 97.9 %.
*: in 1 cell some runs were measured before time and power had come to rest,
most in mobilenet_v2, batch 1, ort-cpu/fp32 (4 of 10 rounds). A longer --warmup
settles them; section repeatability shows the drift.
within idle: not distinguishable from idle (net of waking idle, it lies within
two standard errors of zero).

Repeatability: how the joules of a cell vary from run to run, and by what

batch configuration     in runs varies  interval sensor within between drift
                    flight           %                % runs %  runs %     %
----- ------------- ------ ---- ------ --------- ------ ------ ------- -----
resnet18
    1 ort-cpu/fp32       1   10   0.60 0.41..1.1  0.060    1.2   none!   0.0
    1 ort-cpu/fp32+      1   10    1.2 0.80..2.1  0.060  0.080     1.2   0.0
      threads=1

mobilenet_v2
    1 ort-cpu/fp32       1   10    1.2 0.80..2.1  0.060    1.2   < 1.8  +3.1
    1 ort-cpu/fp32+      2   10    1.3 0.90..2.4  0.060    1.2   < 2.1   0.0
      threads=1

varies: standard deviation of gross joules per item over runs, over their mean,
with its 95 % interval (chi-square). sensor: ticks and resolution; within runs:
noise from tick to tick, both as the runs state them (medians); between runs:
what is left (Paule and Mandel). drift: change of power over the window, median
over runs. All in percent of the mean.
<: not distinguishable from zero (Cochran's test); the end of its 95 % interval
stands for it.
none!: the runs differ less than they state, so that their stated errors are too
wide.
Power readings against the energy counter of the same sensor: -0.20 to +0.20 %
over 40 runs.

Power without load

idle      rounds   mean     range W  error  clock  temp.  drift    interval
                      W                  W    MHz      C      W
--------  ------  -----  ----------  -----  -----  -----  -----  ----------
a processor
sleeping      10  22.35  20.0..24.7    0.3    345     40   +4.6  +4.3..+4.8
waking        10  60.09  60.0..60.2    0.3   1980     40   +0.0  -0.2..+0.2

a processor: the sleeping idle power drifted by +4.6 W over 10 rounds (95 %
interval +4.3 to +4.8), more than twice the error of one reading (0.3 W): net
figures of early and late rounds rest on different idle powers, each on its own
round's.
a processor: no drift of the waking idle power beyond the sensor's error.
sleeping: no context on the device; waking: a context open and a model loaded,
nothing running. error: of one round's figure. drift: along a straight line from
the first round to the last.
$ jouleline report --db errors.db -s cells -o csv | cut -d, -f3,8,12,19,24 | tr -d '\r'
configuration,in_flight,unsettled_runs,throughput_items_per_s,net_waking_indistinct
ort-cpu/fp32,1,0,49.2039435,0
ort-cpu/fp32+threads=1,1,0,33.2264269,0
ort-cpu/fp32,1,4,98.7519043,0
ort-cpu/fp32+threads=1,2,0,126.57096,1
$ jouleline report --db errors.db -s repeatability -o json | grep -m5 -E 'variation_rel|between_p|drift_rel'
      "variation_rel": 0.00595408804,
      "between_p": 0.987657898,
      "drift_rel": 0.0,
      "variation_rel": 0.0117015934,
      "between_p": 3.48452996e-260,
$ jouleline report --db one.db -s repeatability,idle | sed '1,/^$/d'
Repeatability: how the joules of a cell vary from run to run, and by what

Cells with fewer than 3 runs are left out.

Power without load

No idle power was measured.
# A study without a run.
$ make_store empty empty.db; jouleline report --db empty.db

0 rounds, 0 runs.

Findings

Nothing was shown: no round is complete.

Medians over 0 rounds; an interval at 95 % needs at least 6 rounds.
$ jouleline report --db empty.db -s pairs,families,devices,audit,roofline,energy,paradox,int8 -o csv | tr -d '\r' | grep -c .
9
$ jouleline compare --base empty.db --new small.db
! jouleline compare: empty.db and small.db have no cell in common (model, configuration, batch)
? 4
$ jouleline advise --db empty.db
! jouleline advise: the study has no cell of the model (none at all); 'jouleline report' lists them
? 2
