# Any command: its results on standard output, its own words on standard error, its exit code.
$ jouleline measure --meter estimate:watts=20 --idle 0 -- sh -c 'echo hello; sleep 0.2'
time <n> s, CPU time <n> s, peak memory <n> MiB
domain                            energy     above  power  idle  method
                                     (J)  idle (J)    (W)   (W)
--------------------------------  ------  --------  -----  ----  --------
assumed constant 20 W (modelled)<*>20        modelled
! hello
$ jouleline measure --meter estimate:watts=20 --idle 0 -o json -- sh -c 'exit 3' | tail -3
  "power_against_counter": [],
  "absent_meters": ""
}
! jouleline measure: the command exited with status 3 in run 1 of 1
$ jouleline measure --meter estimate:watts=20 --idle 0 -r 5 -- sh -c 'exit 3' >/dev/null
! jouleline measure: the command exited with status 3 in run 1 of 5
? 3
$ jouleline measure --meter estimate:watts=20 --idle 0 -- sh -c 'kill -TERM $$' >/dev/null
! jouleline measure: the command died of signal 15 (Terminated) in run 1 of 1
? 143
$ echo from here | jouleline measure --meter estimate:watts=20 --idle 0 -- cat >/dev/null
! from here
$ jouleline measure --meter estimate:watts=20 --idle 0 -- ./no-such-program
! jouleline measure: cannot start ./no-such-program: No such file or directory
? 127
$ jouleline measure --meter estimate:wats=20 -- true
! jouleline measure: meter estimate: 'wats=20' is not watts=W or gain=RELATIVE with a positive number
? 2
$ jouleline measure --meter rpal -- true
! jouleline measure: there is no meter 'rpal', did you mean 'rapl'; 'jouleline doctor' lists them
? 2
$ jouleline measure
! jouleline measure: -- COMMAND [ARGUMENT...] is missing
! Try 'jouleline measure --help'.
? 2
