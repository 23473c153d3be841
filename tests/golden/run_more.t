# Calls in flight, soaking, watching, forked workers, and a runtime of others.
$ jouleline run -m resnet18 -c fake-gpu/fp32 -b 8 -r 1 --in-flight 1,4 --soak 0.1 --watch --min-time 0.6 --max-time 0.6 -w 0.2 --idle 0.3 -q --start fork; jouleline report -o csv | cut -d, -f1,3,7-9
simulated gpu 0: no comparison: fewer than two configurations ran the same cells
in a complete round.
model,configuration,batch,in_flight,outcome
resnet18,fake-gpu/fp32,8,1,ok
resnet18,fake-gpu/fp32,8,4,ok
$ jouleline report | grep -m 1 -c 'Simulated'
1
$ export P=$(dirname $(command -v jouleline))/plugins/runtime_plugin.so; jouleline run --plugin $P -m a=onnx:/usr/share/libonnx-testdata/data/node/test_add/model.onnx -c mean-host/fp32 -r 1 --no-check --meter estimate:watts=65 --min-time 0.1 --max-time 0.1 -w 0.1 --idle 0.2 --retries 0 -q --db e.db; jouleline report --db e.db | grep -m 1 -i modelled
this processor: no comparison: fewer than two configurations ran the same cells
in a complete round.
Joules are modelled from an assumed power, not measured.
# What it was measured on; what is not known has its reason.
$ jouleline report --db e.db -s audit -o csv | tr -d '\r' | grep measured_on | cut -d, -f1-3
measured_on,processor,<*>
measured_on,frequency governor,<*>
measured_on,kernel,<*>
measured_on,version of mean,1.0
$ cat > edit.sql <<'SQL'
> UPDATE round SET conditions = '{"governor":"performance","cpu_missing":"nobody tells"}';
> UPDATE host SET cpu = NULL, kernel = '6.1';
> UPDATE facts SET json = '{"pcie":"gen 3 x8","pcie_most":"gen 4 x16","driver_missing":"nobody tells"}';
> UPDATE run SET facts = (SELECT id FROM facts);
> SQL
> python3 -c 'import sqlite3; c = sqlite3.connect("e.db"); c.executescript(open("edit.sql").read())'; jouleline report --db e.db -s audit | sed '1,/^$/d'
What compared configurations did not hold equal

No pairs to audit.

What it was measured on

fact                value
------------------  -----------------------
processor           not known: nobody tells
frequency governor  performance
kernel              6.1
driver              not known: nobody tells
PCIe link           gen 3 x8
PCIe link at most   gen 4 x16
# What was guessed of a model's inputs is said.
$ jouleline run -m e=onnx:/usr/share/libonnx-testdata/data/pytorch-converted/test_Embedding/model.onnx -c fake-cpu/fp32 -r 1 --min-time 0.05 --max-time 0.05 -w 0.05 --idle 0 -q --db g.db; jouleline report --db g.db -o csv | cut -d, -f1,9,10
simulated cpu 0: no comparison: fewer than two configurations ran the same cells
in a complete round.
model,outcome,message
e,ok,
! e: input 0: filled with int:0..3, since it indexes a table of that size
$ jouleline run -m a=onnx:/usr/share/libonnx-testdata/data/node/test_add/model.onnx -c fake-cpu/fp32 -b 7 -r 1 --min-time 0.05 --max-time 0.05 -w 0.05 --idle 0 -q --db h.db
simulated cpu 0: no comparison: fewer than two configurations ran the same cells
in a complete round.
! a fake-cpu/fp32 batch 7: invalid: no dimension of the inputs follows the batch of 7: the shapes are fixed; measure it with --batch 1
? 5
# Studies measure the same inputs, unless --seed says otherwise, and so share the references; the order of runs is drawn anew.
$ export XDG_CACHE_HOME=$PWD/seeds; for seed in 0 0 7; do jouleline run -m mobilenet_v3_small -c fake-cpu/fp32 -r 1 --min-time 0.05 --max-time 0.05 -w 0.05 --idle 0 -q --seed $seed --db seeds.db >told.txt; ls seeds/jouleline/references | wc -l; done
1
1
2
$ python3 -c 'import sqlite3; c = sqlite3.connect("seeds.db"); print(c.execute("SELECT group_concat(input_seed) FROM run").fetchone()[0], c.execute("SELECT count(DISTINCT seed) FROM study").fetchone()[0])'
1,1,7 3
