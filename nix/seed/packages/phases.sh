# The phases of stdenv.mkDerivation, each a variable with commands; see stdenv.nix. Runs in bash.
say() { echo "@ $*"; }

phase() { # NAME DEFAULT-FUNCTION
  local name=$1 pre=pre${1^} post=post${1^} phase=$1Phase dont=dont${1^}
  [ -z "${!dont:-}" ] || return 0
  eval "${!pre:-}"
  if [ -n "${!phase:-}" ]; then eval "${!phase}"; else "$2"; fi
  eval "${!post:-}"
}

nothing() { :; }

unpack() {
  [ -n "${src:-}" ] || return 0
  if [ -d "$src" ]; then
    cp -r "$src" source
    chmod -R u+w source
    cd source
  else
    case $src in
      *.tar.* | *.tgz | *.tar) tar -xf "$src" ;;
      *.zip) unzip -q "$src" ;;
      *) echo "unpackPhase: $src is neither a directory nor a tar or zip archive; set dontUnpack or unpackPhase"; exit 1 ;;
    esac
    local entries=(*)
    if [ -n "${sourceRoot:-}" ]; then cd "$sourceRoot"; elif [ ${#entries[@]} = 1 ] && [ -d "${entries[0]}" ]; then cd "${entries[0]}"; fi
  fi
}

patchSource() {
  local file
  for file in ${patches:-}; do
    say "patch $file"
    patch -p1 < "$file"
  done
}

noInstall() {
  echo "mkDerivation: there is no installPhase, and no compiler or make here that could know one"
  exit 1
}

# Programs get the interpreters of what the derivation names.
patchShebangs() {
  local file line interpreter found
  find "$@" -type f -perm -u+x | while read -r file; do
    IFS= read -r line < "$file" 2> /dev/null || continue
    [[ $line == "#!"* && $line != "#!$NIX_STORE/"* ]] || continue
    read -r interpreter rest <<< "${line#"#!"}"
    if [ "${interpreter##*/}" = env ]; then read -r interpreter rest <<< "$rest"; fi
    found=$(type -P "${interpreter##*/}") || continue
    { printf '#!%s\n' "$found${rest:+ $rest}"; tail -n +2 "$file"; } > "$NIX_BUILD_TOP/.script"
    cat "$NIX_BUILD_TOP/.script" > "$file"
  done
}

substituteInPlace() { # FILE... --replace-fail|--replace|--replace-warn FROM TO ...
  local files=() text
  while [ $# -gt 0 ] && [[ $1 != --* ]]; do files+=("$1"); shift; done
  while [ $# -gt 0 ]; do
    case $1 in
      --replace | --replace-fail | --replace-warn | --replace-quiet)
        for file in "${files[@]}"; do
          text=$(cat "$file"; printf .)
          text=${text%.}
          if [[ $1 == --replace-fail && $text != *"$2"* ]]; then
            echo "substituteInPlace: $file does not have: $2"
            exit 1
          fi
          printf %s "${text//"$2"/"$3"}" > "$file"
        done
        shift 3 ;;
      *) echo "substituteInPlace: $1 is not known here"; exit 1 ;;
    esac
  done
}

fixup() {
  [ ! -d "$out/bin" ] || patchShebangs "$out/bin"
}

if [ -n "$buildCommand" ]; then
  eval "$buildCommand"
  exit 0
fi
phase unpack unpack
phase patch patchSource
phase configure nothing
phase build nothing
phase install noInstall
phase fixup fixup
