# Completions of ratellmiter for fish. The command itself finds them.
function __ratellmiter_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l command (string replace --regex '^~/' "$HOME/" -- $words[1])
    $command -complete=fish $words[2..-1] (commandline --current-token --cut-at-cursor) 2>/dev/null
end
complete --command ratellmiter --no-files --arguments '(__ratellmiter_complete)'
