# Recommendations from a store of known content.
$ make_store reference ref.db; jouleline advise --db ref.db -m resnet50 --device "GeForce RTX 3060" --latency 20ms
For resnet50 use ort-cuda/fp16 at batch 8 on GeForce RTX 3060: 0.0457 J per item, 438 items/s, 18.3 ms a call. It takes the fewest joules per item of the 5 cells that meet the limits; the next is ort-cuda/fp32 at batch 1 on GeForce RTX 3060 with 0.128 J per item, 156 items/s, 6.41 ms a call. Latency is closed loop, 1 in flight.

configuration     device           batch latency  energy items/s Pareto misses
                                         ms/call  J/item
----------------- ---------------- ----- ------- ------- ------- ------ -------
ort-cuda/fp16     GeForce RTX 3060     8   18.29 0.04571   437.5 yes
ort-cuda/fp32     GeForce RTX 3060     1   6.409  0.1282   156.0 yes
ort-cuda/fp16     GeForce RTX 3060     1   6.410  0.1282   156.0 no
pytorch-cuda/fp32 GeForce RTX 3060     1   8.434  0.1687   118.6 no
pytorch-cuda/fp16 GeForce RTX 3060     1   8.434  0.1687   118.6 no
ort-cuda/fp16     GeForce RTX 3060    32   55.44 0.03465   577.2 yes    latency
pytorch-cuda/fp16 GeForce RTX 3060    32   72.94 0.04559   438.7 no     latency
pytorch-cuda/fp16 GeForce RTX 3060     8   24.06 0.06016   332.4 no     latency
ort-cuda/fp32     GeForce RTX 3060    32   102.5 0.06410   312.1 no     latency
ort-cuda/fp32     GeForce RTX 3060     8   33.83 0.08458   236.5 no     latency
pytorch-cuda/fp32 GeForce RTX 3060     8   44.51  0.1113   179.7 no     latency
pytorch-cuda/fp32 GeForce RTX 3060    32   135.0  0.2100   237.1 no     latency

Medians over rounds; a limit is met when the unfavourable end of the 95 %
interval meets it (the median where there are fewer than 6 rounds). Pareto: no
other is as good in latency, energy and throughput and better in one.
$ jouleline advise --db ref.db -m resnet50 --device "GeForce RTX 3060" --throughput 100000 | head -1
None of the 12 cells of resnet50 meets the limits: throughput rules out 12.
$ jouleline advise --db ref.db -m resnet18 --agreement 0.98 --device 'the CPU' --power 100 -o csv | tr -d '\r'
configuration,device,batch,in_flight,latency_ns,tail_ns,energy_j_per_item,power_w,throughput_items_per_s,agreement,pareto,meets,misses,decided_by_intervals,simulated,modelled
ort-cpu/int8,the CPU,1,1,28800355.5,,0.900064392,31.2518501,34.7217937,0.99,1,1,,1,0,0
ort-cpu/fp32,the CPU,1,1,48002681,,1.4999669,31.2475652,20.8321698,1,1,1,,1,0,0
$ make_store small small.db; jouleline advise --db small.db -m resnet18 --latency 25ms --percentile p95 | head -1
None of the 2 cells of resnet18 meets the limits: latency rules out 2.
$ jouleline advise --db small.db
! jouleline advise: the study has several models: name one with --model
? 2
$ jouleline advise --db small.db -m resnet81
! jouleline advise: the study has no cell of the model resnet81; 'jouleline report' lists them
? 2
$ jouleline advise --db small.db -m resnet18 --device gpu7
! jouleline advise: the store has no device 'gpu7' (a name or a UUID)
? 2
$ jouleline advise --db none.db
! jouleline advise: cannot read the store none.db (name another with --db, or measure first with 'jouleline run'): No such file or directory
? 1
