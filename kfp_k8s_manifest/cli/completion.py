"""`kfp-k8s completion`: print a shell's completion script."""

from __future__ import annotations

from typing import Final

import click

__all__ = ["completion"]

# The scripts are written here and not taken from click, whose own complete no `--option=value`:
# bash splits it into three words, in zsh and fish it is one, and click answers for the value.
_BASH: Final = """\
_kfp_k8s_completion() {
    local IFS=$'\\n' line type value word words=()
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ ${#words[@]} -gt 1 && ($word == = || ${words[-1]} == *=) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    COMPREPLY=()
    for line in $(COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) \\
        _KFP_K8S_COMPLETE=bash_complete "$1"); do
        IFS=, read -r type value <<< "$line"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}

complete -o nosort -F _kfp_k8s_completion kfp-k8s
"""
_ZSH: Final = """\
#compdef kfp-k8s

_kfp_k8s_completion() {
    local type value help
    local -a response plain described
    (( $+commands[kfp-k8s] )) || return 1
    response=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) \\
        _KFP_K8S_COMPLETE=zsh_complete kfp-k8s)}")
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='
    for type value help in $response; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                if [[ $help == _ ]]; then
                    plain+=($value)
                else
                    described+=("$value:$help")
                fi ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described
    (( $#plain )) && compadd -V unsorted -a plain
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    # From a file in fpath: this is the call itself.
    _kfp_k8s_completion "$@"
else
    compdef _kfp_k8s_completion kfp-k8s
fi
"""
_FISH: Final = """\
function _kfp_k8s_completion
    set -l option (string match -r -- '^--[^=]*=' (commandline -ct))
    set -l response (COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -ct) \\
        _KFP_K8S_COMPLETE=fish_complete kfp-k8s)
    for line in $response
        set -l item (string split -m 1 , -- $line)
        set -l answers $item[2]
        if test $item[1] = dir
            set answers (__fish_complete_directories $item[2])
        else if test $item[1] = file
            set answers (__fish_complete_path $item[2])
        end
        for answer in $answers
            echo -- "$option$answer"
        end
    end
end

complete --no-files --command kfp-k8s --arguments "(_kfp_k8s_completion)"
"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


@click.command()
@click.argument("shell", type=click.Choice(sorted(_SCRIPTS)))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and paths in a shell.

    bash has to be 4.4 or newer.

    \b
    bash: eval "$(kfp-k8s completion bash)"
    zsh:  eval "$(kfp-k8s completion zsh)"
    fish: kfp-k8s completion fish | source
    """  # noqa: D301 (click looks for the control character)
    click.echo(_SCRIPTS[shell], nl=False)
