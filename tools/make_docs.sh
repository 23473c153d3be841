#!/usr/bin/env bash
# make_docs.sh JOULELINE SHARE: man pages and the bash completion, from the program's own option
# tables. What doc/man/PAGE.scd holds (examples, environment, files) is put at the end of a page.
set -euo pipefail
jouleline=$1 share=$2
extra=$(dirname "${BASH_SOURCE[0]}")/../doc/man

mkdir -p "$share/man/man1" "$share/bash-completion/completions"
"$jouleline" --completion >"$share/bash-completion/completions/jouleline"

# page NAME [WORD...]: the page of the command with these words, or of the program.
page()
{
    local name=$1
    shift
    {
        "$jouleline" --man "$@"
        if [[ -f $extra/$name.scd ]]; then cat "$extra/$name.scd"; fi
        printf '\n# SEE ALSO\n\n*jouleline*(1)\n'
    } | scdoc >"$share/man/man1/$name.1"
}

page jouleline
"$jouleline" --help | sed -n 's/^  \([a-z]\+\( [a-z]\+\)\?\)  .*/\1/p' | while read -r -a words; do
    page "jouleline$(printf -- '-%s' "${words[@]}")" "${words[@]}"
done
