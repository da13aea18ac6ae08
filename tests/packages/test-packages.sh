#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 400
#
# `make deb` builds packages that lintian has nothing to say about, that install into a
# directory of their own, work from there, and leave nothing when they are removed.
# They are built without optimisation, for they are thrown away.
TEST_TIMEOUT=350
. "$(dirname "$0")/../harness/functions.sh"

test_packages_build_cleanly_install_work_and_go_without_a_trace() {
	local root=$tmp/root library
	requires dpkg-buildpackage dh lintian dpkg
	DEB_BUILD_OPTIONS="parallel=2 noautodbgsym noopt" "$SOURCE/scripts/deb.sh" "$SOURCE" "$tmp/deb" >log 2>&1 ||
		fail "make deb: $(tail -n 5 log)"
	expect_eq "$(cd deb && echo *.deb | sed 's/_[^ ]*//g')" "hresv libhresv-dev libhresv0"

	lintian --allow-root --fail-on error,warning deb/*.changes >lint 2>&1 ||
		fail "lintian: $(head -n 5 lint)"

	mkdir -p root/var/lib/dpkg/{info,updates,triggers}
	touch root/var/lib/dpkg/{status,available}
	install_packages "$root" deb/*.deb
	library=$(echo root/usr/lib/*/libhresv.so.0)
	expect_eq "$(root/usr/bin/hresv run --quiet --library="$library" sh -c 'grep -c libhresv.so /proc/$$/maps >/dev/null && echo in')" in
	expect_eq "$(root/usr/bin/hresv --version)" "hresv $(cat "$SOURCE/VERSION")"
	for file in root/usr/share/man/man[157]/*.gz root/usr/share/bash-completion/completions/hresv; do
		[ -s "$file" ] || fail "no $file"
	done

	dpkg --root="$root" --force-not-root --force-script-chrootless --log=/dev/null \
		--purge hresv libhresv-dev libhresv0 >log 2>&1 || fail "dpkg --purge: $(tail -n 3 log)"
	find root -path root/var/lib/dpkg -prune -o -type f -print >left
	[ ! -s left ] || fail "left behind: $(cat left)"
}

install_packages() {
	local root=$1
	shift
	dpkg --root="$root" --force-not-root --force-script-chrootless --force-depends --log=/dev/null \
		--install "$@" >log 2>&1 || fail "dpkg --install: $(tail -n 3 log)"
}

test_packages_carry_the_version_of_the_source() {
	expect_eq "$(sed -n '1s/.*(\(.*\)).*/\1/p' "$SOURCE/debian/changelog")" "$(cat "$SOURCE/VERSION")"
}

test_packages_uninstall_removes_what_install_put_there() {
	requires_file "$SOURCE/config.mk"
	[ "$BUILD" = "$SOURCE/build" ] || skip "a build in the source tree"
	make -s -C "$SOURCE" install DESTDIR="$tmp/there" prefix=/opt/hresv >log 2>&1 || fail "$(tail -n 3 log)"
	[ -x there/opt/hresv/bin/hresv ] || fail "no hresv"
	[ "$(readlink there/opt/hresv/lib/libhresv.so)" = libhresv.so.0 ] || fail "no link"
	there/opt/hresv/bin/hresv run --quiet true
	make -s -C "$SOURCE" uninstall DESTDIR="$tmp/there" prefix=/opt/hresv >log 2>&1
	find there -not -type d >left
	[ ! -s left ] || fail "left behind: $(tr '\n' ' ' <left)"
}

run_tests "$@"
