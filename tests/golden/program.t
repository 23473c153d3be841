# What the program says of itself and of words that it does not know.
$ jouleline --version
jouleline <n>.<n>
$ jouleline nonsense
! jouleline: there is no command 'nonsense'; 'jouleline --help' lists them
? 2
$ jouleline 2>&1 | head -1
usage: jouleline COMMAND [OPTION...] [ARGUMENT...]
$ jouleline help nonsense
! jouleline: there is no command 'nonsense'; 'jouleline --help' lists them
? 2
$ jouleline --completion | bash -n
$ jouleline --version >/dev/full
! jouleline: cannot write the results: No space left on device
? 1
