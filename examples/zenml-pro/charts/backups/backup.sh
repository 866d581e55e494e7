#!/bin/sh
# One dump, encrypted to a certificate, in an archive as `airgap backup` makes them: the same key and steps read it, and
# `airgap restore-test` tries it out. The arguments are the command that dumps. What it writes goes by a pipe to openssl;
# nothing is on a volume in plain. Older archives of the same dump go when the new one is whole, and only then.
set -eu
umask 077
export LC_ALL=C

fail() {
  echo "backup of $NAME failed: $*" >&2
  exit 1
}

for program in openssl tar sha256sum dd date mkfifo head sed sort grep expr; do
  command -v "$program" > /dev/null || fail "$program is not in this image next: take one that has it"
done

epoch=$(date +%s)
created=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)
top=backup-$APPLICATION-$NAME-$(date -u -d "@$epoch" +%Y%m%dT%H%M%SZ)
archive=$OUT/$top.tar
work=$OUT/.backup-$NAME
dumper=

leave() {
  code=$?
  trap - EXIT
  [ -z "$dumper" ] || kill "$dumper" 2> /dev/null || :
  rm -rf "$work" "$TMP/dump" "$TMP/code" "$TMP/told" "$TMP/found"
  exit "$code"
}
trap leave EXIT
trap 'exit 143' TERM INT HUP

rm -rf "$work"    # of a pod that was killed: no two jobs of one dump run at once
mkdir -p "$work/$top/dumps"
mkfifo "$TMP/dump"
(
  if "$@" > "$TMP/dump"; then echo 0; else echo $?; fi > "$TMP/code"
) &
dumper=$!
exec 3< "$TMP/dump"

number=0
while :; do
  number=$((number + 1))
  part=$work/$top/dumps/$NAME.$(printf %04d "$number").cms
  dd bs=1048576 count="$PART_MEGABYTES" iflag=fullblock <&3 2> "$TMP/told" |
    openssl cms -encrypt -binary -stream -aes256 -outform DER -out "$part" "$CERTIFICATE" ||
    fail "openssl can't encrypt to the certificate"
  read -r records rest < "$TMP/told" || records=
  case "$records $rest" in
    "0+0 records in") rm -f "$part"; break ;;
    [0-9]*"+"[0-9]*" records in") ;;
    *) fail "dd said: $records $rest" ;;
  esac
done
exec 3<&-
wait "$dumper" || :
dumper=
code=$(cat "$TMP/code")
[ "$code" = 0 ] || fail "$1 ended with $code"
[ "$number" -gt 1 ] || fail "$1 wrote nothing"

cd "$work/$top"
recipient=$(sha256sum < "$CERTIFICATE")
{
  printf '{\n  "format": 1,\n  "tool": "backups chart",\n  "created": "%s",\n' "$created"
  printf '  "bundle": {"name": "%s"},\n  "target": "%s",\n' "$APPLICATION" "$TARGET"
  printf '  "recipient": "%s",\n  "releases": [],\n  "secrets": [],\n  "certificates": [],\n' "${recipient%% *}"
  printf '  "dumps": ["%s"],\n  "sha256": {\n' "$NAME"
  sha256sum dumps/* | sed -e 's/^\([0-9a-f]*\) [ *]\(.*\)$/    "\2": "\1",/' -e '$s/,$//'
  printf '  }\n}\n'
} > backup.json
cat > README.txt <<END
A dump, encrypted (CMS, AES-256) to the certificate that backup.json names. With its key:

  for part in dumps/$NAME.*.cms; do
    openssl cms -decrypt -binary -inform DER -in "\$part" -recip backup.crt -inkey backup.key
  done > $NAME.dump
END
cd "$work"
tar -cf archive.tar "$top/backup.json" "$top/README.txt" "$top/dumps"
sync
mv archive.tar "$archive"
echo "backup of $NAME: $archive, $(($(wc -c < "$archive") / 1000)) kB"

[ "$KEEP" -gt 0 ] || [ "$KEEP_DAYS" -gt 0 ] || exit 0
oldest=$(date -u -d "@$((epoch - KEEP_DAYS * 86400))" +%Y-%m-%dT%H:%M:%SZ)
for file in "$OUT"/backup-*.tar; do
  [ -f "$file" ] && [ ! -L "$file" ] || continue
  inner=${file##*/}
  about=$(head -c 1048576 "$file" | tar -xOf - "${inner%.tar}/backup.json" 2> /dev/null || :)
  printf '%s\n' "$about" | grep -qxF "  \"target\": \"$TARGET\"," || continue
  made=$(printf '%s\n' "$about" | sed -n 's/^  "created": "\([0-9TZ:-]*\)",$/\1/p')
  [ -z "$made" ] || printf '%s %s\n' "$made" "$file"
done | sort -r > "$TMP/found"
rank=0
while read -r made file; do
  rank=$((rank + 1))
  [ "$file" != "$archive" ] || continue
  [ "$KEEP" -eq 0 ] || [ "$rank" -gt "$KEEP" ] || continue
  [ "$KEEP_DAYS" -eq 0 ] || expr "x$made" \< "x$oldest" > /dev/null || continue
  rm -f "$file"
  echo "removed $file: of $made"
done < "$TMP/found"
