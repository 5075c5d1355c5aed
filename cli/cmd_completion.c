/* cmd_completion.c - holdfast completion SHELL: a script by which a shell completes our commands.
 *
 * The scripts know no command and no option: they ask the program for them (--_commands and, after
 * a command, --_options: a name, a tab and what it is about on each line), so they stay true.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const char bash[] =
    "_holdfast() {\n"
    "    local IFS=$'\\n' word=${COMP_WORDS[COMP_CWORD]}\n"
    "    COMPREPLY=()\n"
    "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
    "        COMPREPLY=($(compgen -W \"$(\"$1\" --_commands 2>/dev/null | cut -f1)\" -- \"$word\"))\n"
    "    elif [ \"${word:0:1}\" = - ]; then\n"
    "        COMPREPLY=($(compgen -W \"$(\"$1\" \"${COMP_WORDS[1]}\" --_options 2>/dev/null | cut -f1)\" -- \"$word\"))\n"
    "    fi\n"
    "}\n"
    "complete -o default -F _holdfast holdfast\n";

static const char zsh[] =
    "#compdef holdfast\n"
    "_holdfast() {\n"
    "    local -a found\n"
    "    if (( CURRENT == 2 )); then\n"
    "        found=(\"${(@f)$($words[1] --_commands 2>/dev/null | sed $'s/:/\\\\\\\\:/g; s/\\t/:/')}\")\n"
    "        _describe command found\n"
    "    elif [[ $words[CURRENT] == -* ]]; then\n"
    "        found=(\"${(@f)$($words[1] $words[2] --_options 2>/dev/null | sed $'s/:/\\\\\\\\:/g; s/\\t/:/')}\")\n"
    "        _describe option found\n"
    "    else\n"
    "        _files\n"
    "    fi\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _holdfast ]; then _holdfast \"$@\"; else compdef _holdfast holdfast; fi\n";

static const char fish[] =
    "complete -c holdfast -n __fish_use_subcommand -f -a '(holdfast --_commands 2>/dev/null)'\n"
    "complete -c holdfast -n 'not __fish_use_subcommand; and string match -q -- \"-*\" (commandline -ct)' -f "
    "-a '(holdfast (commandline -opc)[2] --_options 2>/dev/null)'\n";

static const struct cli_option options[] = {{0}};

int cmd_completion(int argc, char **argv)
{
    static const struct {
        const char *shell, *script;
    } all[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    int rc = cli_parse("completion", "bash|zsh|fish",
                       "Prints a script that completes commands and options. For this shell alone: eval \"$(holdfast completion bash)\".\n"
                       "`make install` puts them where the shells look.",
                       options, NULL, &argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : HF_STATUS_USAGE;
    for (size_t i = 0; argc == 1 && i < sizeof all / sizeof all[0]; i++)
        if (strcmp(argv[0], all[i].shell) == 0) {
            fputs(all[i].script, stdout);
            return HF_STATUS_OK;
        }
    fprintf(stderr, "holdfast completion: name a shell: bash, zsh or fish\n");
    return HF_STATUS_USAGE;
}
