# Completions of ratellmiter for bash. The command itself finds them.
_ratellmiter() {
    local command=${COMP_WORDS[0]/#\~\//$HOME/} current=${COMP_WORDS[COMP_CWORD]} candidate whole= word
    COMPREPLY=()
    if type "$command" >/dev/null 2>&1; then
        while IFS= read -r candidate; do
            COMPREPLY+=("$candidate")
        done < <("$command" -complete=bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    else
        # Without the command: options and fixed values. Bash may split words at equals signs.
        for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
            if [[ $word == = || $whole == *= ]]; then whole+=$word; else whole=$word; fi
        done
        [[ $current == = ]] && current=
        while IFS= read -r candidate; do
            COMPREPLY+=("${candidate#"${whole%"$current"}"}")
        done < <(compgen -W '{{words}}' -- "$whole")
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/,] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}
complete -F _ratellmiter ratellmiter
