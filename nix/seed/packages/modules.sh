# Copies the modules $required and $optional, and what they need, out of the tree $modules; then depmod.
tree=$modules/lib/modules/$release
target=$out/lib/modules/$release
mkdir -p $target

# In names `-` and `_` are the same; the kernel's own are with `_`, files with either.
awk -F: '{ name = $1; sub(/.*\//, "", name); sub(/\.ko.*/, "", name); gsub(/-/, "_", name); print name "\t" $1 $2 }' \
  $tree/modules.dep > $NIX_BUILD_TOP/dep
sed 's#.*/##; s#\.ko.*##; s#-#_#g' $tree/modules.builtin > $NIX_BUILD_TOP/builtin

wanted() { # MODULE: its files, the module's own first; fails where there is none
  local name
  name=$(echo "$1" | tr - _)
  if awk -F'\t' -v name="$name" '$1 == name { print $2; found = 1 } END { exit !found }' $NIX_BUILD_TOP/dep; then
    # What modprobe loads before it by a soft dependency, where that is a module's name.
    awk -v name="$name" '$1 == "softdep" && $2 == name { for (i = 3; i <= NF; i++) if ($i !~ /:$/) print $i }' \
      $tree/modules.softdep | while read -r soft; do [ "$soft" = "$name" ] || wanted "$soft" || true; done
  else
    grep -qx "$name" $NIX_BUILD_TOP/builtin
  fi
}

near() { # NAME: those that are it but for a `_`, then those that begin alike
  cut -f1 $NIX_BUILD_TOP/dep | awk -v wanted="$(echo "$1" | tr -d _-)" '
    { plain = $1; gsub(/_/, "", plain) }
    plain == wanted || index(plain, wanted) { print 1, $1; next }
    substr(plain, 1, 5) == substr(wanted, 1, 5) { print 2, $1 }' | sort | head -n 8 | cut -d" " -f2
}

for module in $required; do
  wanted "$module" >> $NIX_BUILD_TOP/files || {
    echo "no module $module in the kernel $release; names that are near:" $(near "$module")
    exit 1
  }
done
for module in $optional; do wanted "$module" >> $NIX_BUILD_TOP/files || true; done

touch $NIX_BUILD_TOP/files
tr ' ' '\n' < $NIX_BUILD_TOP/files | grep . | sort -u | while read -r file; do
  mkdir -p $target/$(dirname $file)
  cp $tree/$file $target/$file
done || true
cp $tree/modules.order $tree/modules.builtin $tree/modules.builtin.modinfo $target/
chmod -R u+w $out
depmod -b $out $release
