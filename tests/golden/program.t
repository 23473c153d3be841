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
$ jouleline modle list 2>&1 | cut -c1-37
jouleline: there is no command 'modle
$ jouleline model
! jouleline: 'model' is followed by one of: list <*>
? 2
$ jouleline model lits
! jouleline: 'model' is followed by one of: list <*>
? 2
$ jouleline model list --outptu=json
! jouleline model list: there is no option --outptu; did you mean --output?
! Try 'jouleline model list --help'.
? 2
$ jouleline model list -o tabel
! jouleline model list: --output: 'tabel' is not one of <*>; did you mean 'table'?
! Try 'jouleline model list --help'.
? 2
# The completion script, as bash calls it.
$ source <(jouleline --completion); COMP_WORDS=(jouleline mo); COMP_CWORD=1; _jouleline; echo "${COMPREPLY[@]}"
model
$ source <(jouleline --completion); COMP_WORDS=(jouleline model exp); COMP_CWORD=2; _jouleline; echo "${COMPREPLY[@]}"
export
$ source <(jouleline --completion); COMP_WORDS=(jouleline model export --sty); COMP_CWORD=3; _jouleline; echo "${COMPREPLY[@]}"
--style
$ source <(jouleline --completion); COMP_WORDS=(jouleline model list -o j); COMP_CWORD=4; _jouleline; echo "${COMPREPLY[@]}"
json
