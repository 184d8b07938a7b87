/**
 * What a shell does at a tab: it asks rt itself for the words, `rt __complete -- LINE`, and shows them. Each is a line, with what
 * it is about behind a tab; `:files` and `:open` (no space behind it) are said at the end.
 */
export const completionScripts: Readonly<Record<string, string>> = {
  bash: `# source <(rt completion bash), or put it in /etc/bash_completion.d/rt
_rt_complete() {
  local line="\${COMP_LINE:0:COMP_POINT}" word start= each
  word="\${line##*[[:space:]]}"
  # Of a word with these in it, bash replaces only what is behind the last.
  if [[ $word == *[:=]* && $COMP_WORDBREAKS == *[:=]* ]]; then start="\${word%"\${word##*[:=]}"}"; fi
  COMPREPLY=()
  while IFS= read -r each; do
    case "$each" in
      :files) compopt -o default 2>/dev/null ;;
      :open) compopt -o nospace 2>/dev/null ;;
      *) each="\${each%%$'\\t'*}"; COMPREPLY+=("\${each#"$start"}") ;;
    esac
  done < <("\${COMP_WORDS[0]/#\\~/$HOME}" __complete -- "$line" 2>/dev/null)
}
complete -F _rt_complete rt
`,
  zsh: `#compdef rt
# source <(rt completion zsh), or put it as _rt into a directory of $fpath
_rt() {
  local each value
  local -a values options
  local files=
  for each in "\${(@f)$(\${words[1]} __complete -- "\${(j: :)words[1,CURRENT]}" 2>/dev/null)}"; do
    case "$each" in
      '') ;;
      :files) files=1 ;;
      :open) options=(-S '') ;;
      *)
        value="\${\${each%%$'\\t'*}//:/\\\\:}"
        if [[ $each == *$'\\t'* ]]; then values+=("$value:\${each#*$'\\t'}"); else values+=("$value"); fi ;;
    esac
  done
  (( $#values )) && _describe rt values "\${options[@]}"
  [[ -n $files ]] && _files
  return 0
}
if [[ "\${funcstack[1]}" == _rt ]]; then _rt "$@"; else compdef _rt rt; fi
`,
  fish: `# rt completion fish | source, or put it into ~/.config/fish/completions/rt.fish
function __rt_complete
  set -l files
  for each in (rt __complete -- (commandline -cp | string collect) 2>/dev/null)
    switch $each
      case ':files'
        set files 1
      case ':open'
      case '*'
        echo $each
    end
  end
  if set -q files[1]
    __fish_complete_path (commandline -ct)
  end
end
complete -c rt -f -a '(__rt_complete)'
`,
};
