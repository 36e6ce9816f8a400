#compdef ratellmiter
# Completions of ratellmiter for zsh. The command itself finds them.
_ratellmiter() {
    local line
    local -a whole whole_shown begun begun_shown
    while IFS= read -r line; do
        local text=${line%%$'\t'*} about=${line#*$'\t'}
        local shown=$text${about:+"  -- $about"}
        if [[ $text == *[=/,] ]]; then
            begun+=("$text") begun_shown+=("$shown")
        else
            whole+=("$text") whole_shown+=("$shown")
        fi
    done < <("${(Q)words[1]/#\~\//$HOME/}" -complete=zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    # Values that may be continued are not followed by a space.
    compadd -l -d whole_shown -a whole
    compadd -S '' -l -d begun_shown -a begun
}
if [[ ${funcstack[1]} == _ratellmiter ]]; then
    _ratellmiter "$@"
else
    compdef _ratellmiter ratellmiter
fi
