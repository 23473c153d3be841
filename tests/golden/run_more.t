# Calls in flight, soaking, watching, forked workers, and a runtime of others.
$ jouleline run -m resnet18 -c fake-gpu/fp32 -b 8 -r 1 --in-flight 1,4 --soak 0.1 --watch --min-time 0.6 --max-time 0.6 -w 0.2 --idle 0.3 -q --start fork; jouleline report -o csv | cut -d, -f1,3,7-9
simulated gpu 0: no comparison: fewer than two configurations ran the same cells in a complete round.
model,configuration,batch,in_flight,outcome
resnet18,fake-gpu/fp32,8,1,ok
resnet18,fake-gpu/fp32,8,4,ok
$ jouleline report | grep -m 1 -c 'Simulated'
1
$ export P=$(dirname $(command -v jouleline))/plugins/runtime_plugin.so; jouleline run --plugin $P -m a=onnx:/usr/share/libonnx-testdata/data/node/test_add/model.onnx -c mean-host/fp32 -r 1 --no-check --meter estimate:watts=65 --min-time 0.1 --max-time 0.1 -w 0.1 --idle 0.2 --retries 0 -q --db e.db; jouleline report --db e.db | grep -m 1 -i modelled
this processor: no comparison: fewer than two configurations ran the same cells in a complete round.
Joules are modelled from an assumed power, not measured.
# What was guessed of a model's inputs is said.
$ jouleline run -m e=onnx:/usr/share/libonnx-testdata/data/pytorch-converted/test_Embedding/model.onnx -c fake-cpu/fp32 -r 1 --min-time 0.05 --max-time 0.05 -w 0.05 --idle 0 -q --db g.db; jouleline report --db g.db -o csv | cut -d, -f1,9,10
simulated cpu 0: no comparison: fewer than two configurations ran the same cells in a complete round.
model,outcome,message
e,ok,
! e: input 0: filled with int:0..3, since it indexes a table of that size
$ jouleline run -m a=onnx:/usr/share/libonnx-testdata/data/node/test_add/model.onnx -c fake-cpu/fp32 -b 7 -r 1 --min-time 0.05 --max-time 0.05 -w 0.05 --idle 0 -q --db h.db
simulated cpu 0: no comparison: fewer than two configurations ran the same cells in a complete round.
! a fake-cpu/fp32 batch 7: invalid: no dimension of the inputs follows the batch of 7: the shapes are fixed; measure it with --batch 1
? 5
