# Words that make no sense are refused before anything runs.
$ jouleline run -c fake-gpu/fp32
! jouleline run: no model is named: give -m MODEL
? 2
$ jouleline run -m resnet18
! jouleline run: no configuration is named: give -c CONFIGURATION, such as ort-cpu/fp32
? 2
$ jouleline run -m resnte18 -c fake-gpu/fp32
! jouleline run: resnte18 is no file and no model of the zoo: the zoo has no model 'resnte18', did you mean 'resnet18'?; 'jouleline model list' shows all
? 1
$ jouleline run -m resnet18 -c fake-gpu/fp32+sede=1
! jouleline run: fake has no option 'sede'; did you mean 'seed'? (there are: convert, version, gflops, gbps, dispatch_us, static_w, sleep_w, pj_flop, pj_byte, first_ms, noise, run_noise, seed, work, fail, fail_call, fail_above, fail_model)
? 2
$ jouleline run -m resnet18 -c fake-gpu/fp32 -b 0
! jouleline run: --batch: '0' is not between 1 and 1048576
! Try 'jouleline run --help'.
? 2
$ jouleline run -m resnet18 -c fake-gpu/fp32 --min-time 3 --max-time 2
! jouleline run: --max-time is shorter than --min-time
? 2
$ jouleline run -m none.onnx -c fake-gpu/fp32
! jouleline run: cannot read the model none.onnx: No such file or directory
? 1
$ jouleline run -m resnet18 -c fake-gpu/fp32 --db /proc/no/such/place.db
! jouleline run: cannot open the store /proc/no/such/place.db: unable to open database file; choose a place that can be written with --db FILE
? 1
$ echo 'modle: [resnet18]' > bad.yaml; jouleline run bad.yaml
! jouleline run: bad.yaml:1:1: there is no key 'modle'; did you mean 'model'?
! Try 'jouleline run --help'.
? 2
$ jouleline report --db none.db
! jouleline report: cannot read the store none.db (name another with --db, or measure first with 'jouleline run'): No such file or directory
? 1
$ echo 'this is no database, but it is long enough to be looked at by SQLite......................' > text.db; jouleline report --db text.db
! jouleline report: text.db is not a store of jouleline (file is not a database)
? 1
$ jouleline merge --db a.db
! jouleline merge: PART.db... is missing
! Try 'jouleline merge --help'.
? 2
$ jouleline merge none.db --db a.db
! jouleline merge: cannot read the store none.db (name another with --db, or measure first with 'jouleline run'): No such file or directory
? 1
$ jouleline worker
! jouleline worker: a worker is started by 'jouleline run', with --control-fd and --ring-fd
? 2
# The device that is not here, and a program that nobody vouched for: outcomes, not errors.
$ jouleline run -m resnet18 -c fake-gpu/fp32@9 -r 1 -q --db d.db; jouleline report --db d.db -o csv | cut -d, -f3,9,10
configuration,outcome,message
fake-gpu/fp32,missing,fake finds no device 9 for gpu here ('jouleline doctor' lists what there is)
! resnet18 fake-gpu/fp32@9 batch 1: missing: fake finds no device 9 for gpu here ('jouleline doctor' lists what there is)
