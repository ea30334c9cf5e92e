#!/bin/bash
# The packages: built from the tree that `make dist` gives, without a network, and what is in them.  With GB_LONG.
set -u -o pipefail
export LC_ALL=C
top=$(cd "$(dirname "$0")/../.." && pwd)
GB_BUILD=${GB_BUILD:-$top/build}
skip() {
        echo "SKIP packages: $1"
        exit 77
}
[ -n "${GB_LONG:-}" ] || skip "takes minutes: --long"
for command in dpkg-buildpackage dh lintian rpmbuild unshare; do
        command -v $command >/dev/null || skip "$command is not installed"
done
to=$(mktemp -d "${TMPDIR:-/tmp}/gb.packages.XXXXXX") || exit 1
trap 'chmod -R u+w "$to"; rm -rf "$to"' EXIT
failed=0 why=''
problem() { [ -n "$why" ] || why=$1; }
done_with() { # NAME
        [ -z "$why" ] && echo "PASS packages: $1" || { echo "FAIL packages: $1: $why" | tr '\n' ' ' && echo && failed=1; }
        why=''
}
offline() { unshare -n "$@"; }
# has PACKAGE FILE...: of what is listed in $to/PACKAGE.list
has() {
        local package=$1 file
        shift
        for file; do grep -qE "^$file\$" "$to/$package.list" || problem "$package has no $file"; done
}
# Each file is in one package, or dpkg and rpm would refuse the second one.
disjoint() { [ -z "$(cat "$@" | grep -v '/share/doc/\|/share/licenses/\|/\.build-id' | sort | uniq -d)" ] ||
        problem "in two packages: $(cat "$@" | sort | uniq -d | head -n 3)"; }

make -C "$GB_BUILD" dist >"$to/dist.log" 2>&1 || problem "$(tail -n 3 "$to/dist.log")"
tarball=$(ls "$GB_BUILD"/gbackup-*.tar.xz)
version=${tarball##*gbackup-} version=${version%.tar.xz}
done_with "make dist"

mkdir "$to/deb" && tar xf "$tarball" -C "$to/deb" && cd "$to/deb/gbackup-$version" || exit 1
DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" offline dpkg-buildpackage -us -uc -b >"$to/deb.log" 2>&1 ||
        problem "$(tail -n 3 "$to/deb.log")"
done_with "dpkg-buildpackage builds without a network"

for package in gbackupd gbackup-cli libgbackup0 libgbackup-dev; do
        dpkg-deb --fsys-tarfile "$to"/deb/${package}_*.deb | tar t | sed 's|^\.||' | grep -v '/$' >"$to/$package.list"
done
has gbackupd /usr/sbin/gbackupd /etc/gbackup/gbackupd.conf '.*/gbackupd\.(service|socket)' '.*/firewalld/services/gbackup.xml' \
        '.*/hooks/1/set/post/S60gbackup-set.sh' '.*/man8/gbackupd.8.gz' '.*/tmpfiles.d/gbackup.conf' '.*/peer_gbackup_tls'
has gbackup-cli /usr/bin/gbackup-cli /usr/bin/gbackup-glusterfind '.*/gbackup@.(service|timer)' '.*/completions/gbackup-cli' \
        '.*/bpstart_notify.gbackup' '.*/man1/gbackup-cli.1.gz' '.*/man7/gbackup.7.gz'
has libgbackup0 '.*/libgbackup.so.0'
has libgbackup-dev /usr/include/libgbackup.h '.*/libgbackup.so' '.*/pkgconfig/gbackup.pc' '.*/man3/libgbackup.3.gz' '.*/example.c'
disjoint "$to"/{gbackupd,gbackup-cli,libgbackup0,libgbackup-dev}.list
done_with "Debian packages have what is theirs"

lintian --allow-root --fail-on=error "$to"/deb/*.changes >"$to/lintian.log" 2>&1 || problem "$(grep '^E:' "$to/lintian.log" | head -n 3)"
done_with "lintian finds no errors"

# What Debian's rpm does not know: names of Fedora's packages, and systemd's macros.
offline rpmbuild -ta --nodeps --nocheck --define "_topdir $to/rpm" --define "_unitdir /usr/lib/systemd/system" \
        --define "systemd_requires %{nil}" --define "systemd_post() true" --define "systemd_preun() true" \
        --define "systemd_postun_with_restart() true" "$tarball" >"$to/rpm.log" 2>&1 || problem "$(tail -n 5 "$to/rpm.log")"
done_with "rpmbuild builds to its end"

for package in gbackup gbackupd libgbackup libgbackup-devel; do
        rpm -qlp "$to"/rpm/RPMS/*/$package-"$version"-*.rpm >"$to/$package.list" 2>/dev/null
done
has gbackupd /usr/sbin/gbackupd /etc/gbackup/gbackupd.conf '.*/gbackupd\.(service|socket)' '.*/firewalld/services/gbackup.xml' \
        '.*/hooks/1/set/post/S60gbackup-set.sh' '.*/man8/gbackupd.8.*' '.*/tmpfiles.d/gbackup.conf' '.*/peer_gbackup_tls'
has gbackup /usr/bin/gbackup-cli /usr/bin/gbackup-glusterfind '.*/gbackup@.(service|timer)' '.*/completions/gbackup-cli' \
        '.*/bpstart_notify.gbackup' '.*/man1/gbackup-cli.1.*' '.*/man7/gbackup.7.*'
has libgbackup '.*/libgbackup.so.0'
has libgbackup-devel /usr/include/libgbackup.h '.*/libgbackup.so' '.*/pkgconfig/gbackup.pc' '.*/man3/libgbackup.3.*'
disjoint "$to"/{gbackup,gbackupd,libgbackup,libgbackup-devel}.list
rpm -qp --configfiles "$to"/rpm/RPMS/*/gbackupd-"$version"-*.rpm 2>/dev/null | grep -qx /etc/gbackup/gbackupd.conf ||
        problem "gbackupd.conf is not marked as configuration"
done_with "RPM packages have what is theirs"
exit $failed
