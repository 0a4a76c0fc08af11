# Turns Debian packages ($debs) into one store path ($out):
#   bin/ from bin, sbin, usr/bin, usr/sbin, usr/games;  lib/ from lib, lib64 and their multiarch directories;
#   share/, etc/, libexec/ …: everything keeps its place relative to usr/.
# ELF files get the loader of $glibc and as rpath exactly the directories of $deps (and of the path itself) that hold
# what they need; scripts get the interpreter of a dependency; links get where their target went.
# Variables: debs deps glibc patchelf busybox drop (globs below $out) post (commands, run in $out at the end).
raw=$NIX_BUILD_TOP/raw
work=$NIX_BUILD_TOP/work
mkdir -p $raw $work $out

say() { echo "repack: $*"; }

for deb in $debs; do dpkg-deb -x $deb $raw; done
chmod -R u+rwX $raw

# ---- where things go

# A path in Debian's tree to its path below $out: lines "link<TAB>target" become "place<TAB>place of the target".
cat > $work/places.awk <<'AWK'
function place(path) {
  sub(/^\/usr\//, "/", path)
  if (path ~ /^\/(s?bin|games)(\/|$)/) sub(/^\/[a-z]*/, "/bin", path)
  else if (path ~ /^\/lib(64)?(\/|$)/) { sub(/^\/lib(64)?/, "/lib", path); sub(/^\/lib\/x86_64-linux-gnu/, "/lib", path) }
  return path
}
function plain(path,   parts, n, i, kept, k, text) {
  n = split(path, parts, "/"); k = 0
  for (i = 1; i <= n; i++) {
    if (parts[i] == "" || parts[i] == ".") continue
    if (parts[i] == "..") { if (k > 0) k--; continue }
    kept[++k] = parts[i]
  }
  text = ""
  for (i = 1; i <= k; i++) text = text "/" kept[i]
  return text
}
BEGIN { FS = "\t"; OFS = "\t" }
{
  folder = $1; sub(/\/[^\/]*$/, "", folder)
  print place($1), place(plain($2 ~ /^\// ? $2 : folder "/" $2))
}
AWK

cd $raw
rm -rf usr/share/doc usr/share/doc-base usr/share/man usr/share/locale usr/share/info usr/share/lintian usr/share/bug \
  usr/share/bash-completion usr/share/zsh usr/share/fish usr/share/menu usr/share/applications usr/share/pixmaps \
  usr/share/gdb usr/share/apport usr/share/metainfo usr/share/gcc usr/share/vim usr/share/perl5 usr/include \
  usr/lib/debug usr/lib/x86_64-linux-gnu/pkgconfig usr/share/pkgconfig usr/lib/x86_64-linux-gnu/perl5 usr/lib/systemd \
  lib/systemd usr/lib/sysusers.d usr/lib/tmpfiles.d etc/init.d etc/default etc/cron.* etc/logrotate.d etc/apparmor.d \
  etc/ufw etc/network etc/rc*.d etc/insserv.conf.d etc/apt etc/sv usr/share/runit usr/share/postgresql/*/man \
  usr/share/python3/runtime.d var run dev
find . -name '*.a' -type f -exec rm -f {} +

find . -type l | while read -r link; do
  printf '%s\t%s\n' "${link#.}" "$(readlink "$link")"
done | awk -f $work/places.awk > $work/links
find . -type l -exec rm -f {} +

merge() { # FROM TO: directories below $raw to below $out
  [ -d "$1" ] || return 0
  mkdir -p "$out/$2"
  cp -a "$1/." "$out/$2/"
  rm -rf "$1"
}
for dir in usr/bin usr/sbin bin sbin usr/games; do merge $dir bin; done
for dir in usr/lib/x86_64-linux-gnu lib/x86_64-linux-gnu usr/lib lib usr/lib64 lib64; do merge $dir lib; done
merge usr .
cp -a . $out/
cd $out
chmod -R u+w .

for glob in $drop; do
  found=
  for path in $glob; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    found=1
    rm -rf "$path"
  done
  [ -n "$found" ] || { say "drop: nothing matches $glob"; exit 1; }
done

# ---- links: first as they were meant, then those whose target is in a dependency

while IFS="$(printf '\t')" read -r link target; do
  [ -n "$link" ] || continue
  mkdir -p "$(dirname "$out$link")"
  [ -e "$out$link" ] || ln -sfn "$out$target" "$out$link"
done < $work/links
while IFS="$(printf '\t')" read -r link target; do
  [ -L "$out$link" ] && [ ! -e "$out$link" ] || continue
  for dep in $deps; do
    if [ -e "$dep$target" ]; then ln -sfn "$dep$target" "$out$link"; break; fi
  done
done < $work/links
while IFS="$(printf '\t')" read -r link target; do
  if [ -L "$out$link" ] && [ ! -e "$out$link" ]; then
    say "left out: the link ${link#/}, as nothing here has $target"
    rm "$out$link"
  fi
done < $work/links

# ---- ELF files and scripts

# A file a library name: the directory that has it. Own libraries first, then dependencies in their order.
mkdir $work/so
for dir in $out $deps $glibc; do
  for lib in $dir/lib/*.so* $dir/lib/*/*.so*; do
    [ -e "$lib" ] || continue
    name=${lib##*/}
    [ -e "$work/so/$name" ] || printf '%s\n' "${lib%/*}" > "$work/so/$name"
  done
done

elf=$(printf '\177ELF')
loader=$glibc/lib/ld-linux-x86-64.so.2

mend_elf() { # FILE
  local file=$1 needed soname directory path="" interpreter
  needed=$($patchelf/bin/patchelf --print-needed "$file" 2>/dev/null) || return 0 # static, or an object
  for soname in $needed; do
    case $soname in ld-linux-x86-64.so.2) continue ;; esac
    if [ ! -e "$work/so/$soname" ]; then
      say "unresolved: ${file#"$out"/} needs $soname, which neither it nor its dependencies have"
      touch $work/failed
      continue
    fi
    read -r directory < "$work/so/$soname"
    case :$path: in *":$directory:"*) ;; *) path=$path${path:+:}$directory ;; esac
  done
  if interpreter=$($patchelf/bin/patchelf --print-interpreter "$file" 2>/dev/null) && [ -n "$interpreter" ]; then
    # DT_RPATH: also for what the C library loads late (libgcc_s for pthread_cancel)
    case :$path: in *":$glibc/lib:"*) ;; *) path=$path${path:+:}$glibc/lib ;; esac
    $patchelf/bin/patchelf --set-interpreter $loader --force-rpath --set-rpath "$path" "$file"
  elif [ -n "$path" ]; then
    $patchelf/bin/patchelf --set-rpath "$path" "$file"
  else
    $patchelf/bin/patchelf --remove-rpath "$file"
  fi
}

mend_script() { # FILE
  local file=$1 line interpreter rest found=""
  IFS= read -r line < "$file" || true
  line=${line#"#!"}
  set -f
  set -- $line
  set +f
  interpreter=${1:-}
  [ $# = 0 ] || shift
  case $interpreter in
    $NIX_STORE/*) return 0 ;;
    */env) [ "${1:-}" != -S ] || shift; interpreter=${1:-}; [ $# = 0 ] || shift ;;
  esac
  rest=$*
  case ${interpreter##*/} in
    sh | dash) found=$busybox/bin/sh ;;
    *)
      for dir in $out $deps; do
        if [ -e "$dir/bin/${interpreter##*/}" ]; then found=$dir/bin/${interpreter##*/}; break; fi
      done ;;
  esac
  if [ -z "$found" ]; then
    case $file in $out/bin/* | $out/libexec/*) ;; *) return 0 ;; esac # data, or a module that can also be run
    say "left out: ${file#"$out"/}, a script for $interpreter, which is no dependency"
    rm "$file"
  else
    { printf '#!%s\n' "$found${rest:+ $rest}"; tail -n +2 "$file"; } > $work/script
    cat $work/script > "$file"
  fi
}

find $out -type f > $work/files
while read -r file; do
  IFS= read -r -n 4 magic < "$file" || true
  case $magic in
    "$elf") mend_elf "$file" ;;
    '#!'*) [ ! -x "$file" ] || mend_script "$file" ;;
  esac
done < $work/files
[ ! -e $work/failed ] || exit 1

wrap() { # PROGRAM COMMAND: bin/PROGRAM becomes a script that runs COMMAND, in which @ is the program itself
  mv bin/$1 bin/.$1
  printf '#!%s\nexec %s "$@"\n' $busybox/bin/sh "$(echo "$2" | sed "s#@#$out/bin/.$1#")" > bin/$1
  chmod +x bin/$1
}

cd $out
eval "$post"
# Scripts that were left out leave links behind.
find $out -type l | while read -r link; do
  [ -e "$link" ] || { say "left out: the link ${link#"$out"/}, its target is gone"; rm "$link"; }
done
find $out -depth -type d -exec rmdir {} + 2>/dev/null || true
mkdir -p $out
