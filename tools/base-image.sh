#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure of the two images that challenges and tests are built on:
#
#	debian:bookworm-slim	pulled; where no registry answers, made by debootstrap from the
#				mirror that this machine's own apt uses
#	ctfy/busybox		Debian's static busybox and its applets, nothing else
#
# Returns at once when both are here.
set -euo pipefail
shopt -s extglob

suite=bookworm
debian=debian:bookworm-slim
busybox=ctfy/busybox:latest
patience=120 # seconds for a pull
docker=/usr/bin/docker

fail() {
	echo "base-image: $*" >&2
	exit 1
}

image_exists() {
	"$docker" image inspect "$1" >/dev/null 2>&1
}

# debootstrap leaves /proc mounted when it is interrupted.
on_exit() {
	local status=$?
	[[ -n ${root:-} ]] || exit "$status"
	umount "$root/proc" "$root/sys" 2>/dev/null || true
	rm -rf --one-file-system "$root"
	exit "$status"
}
trap on_exit EXIT
trap 'exit 130' INT TERM

# Debian's own repositories among this machine's, as lines "deb URI CODENAME COMPONENT".
list_repositories() {
	# shellcheck disable=SC2016 # $(...) is apt's
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(CODENAME) $(COMPONENT)' \
		'Created-By: Packages' | sed -En "s/^Debian (.* $suite(-[a-z]+)? .*)/deb \1/p" | sort -u
}

run_debootstrap() {
	local mirror=$1 line shown=$SECONDS include=()
	[[ $mirror != https:* ]] || include=(--include=ca-certificates)
	debootstrap --variant=minbase "${include[@]}" "$suite" "$root" "$mirror" 2>&1 |
		while IFS= read -r line; do
			printf '%s\n' "$line" >>"$root.log"
			if ((SECONDS - shown >= 2)); then
				echo "base-image: ${line#I: }"
				shown=$SECONDS
			fi
		done
}

# Layers of images built on this one stay small, and build faster.
configure_packaging() {
	local etc=$root/etc
	printf '%s\n' "$repositories" >"$etc/apt/sources.list"
	{
		apt-config dump | grep -E '^Acquire::Check-(Valid-Until|Date) ' || true
		cat <<'END'
APT::Keep-Downloaded-Packages "false";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Apt::AutoRemove::SuggestsImportant "false";
END
	} >"$etc/apt/apt.conf.d/docker-clean"
	cat >"$etc/dpkg/dpkg.cfg.d/docker" <<'END'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
END
	printf '#!/bin/sh\n# Nothing starts while an image is built.\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
}

strip_root() {
	find "$root/usr/share/doc" -mindepth 1 ! -name copyright ! -type d -delete
	find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete
	rm -rf "$root"/usr/share/{info,locale,man}/* "$root"/var/lib/apt/lists/* \
		"$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old "$root"/var/log/!(apt) \
		"$root"/var/lib/dpkg/*-old "$root"/etc/{hostname,resolv.conf}
}

# import_root IMAGE COMMAND [TAR OPTION...]
import_root() {
	tar -C "$root" --numeric-owner --sort=name "${@:3}" -c . |
		"$docker" import -c "CMD [\"$2\"]" - "$1" >/dev/null
	rm -rf --one-file-system "$root"
	root=
}

bootstrap_debian() {
	local repositories mirror
	((EUID == 0)) || fail "not root: debootstrap, which makes '$debian', needs it"
	type -P debootstrap >/dev/null || fail "debootstrap is not installed; run: tools/deps.sh run"
	repositories=$(list_repositories)
	mirror=$(sed -n "s/^deb \(.*\) $suite .*/\1/p" <<<"$repositories" | head -n 1)
	[[ $mirror ]] || fail "apt on this machine knows no Debian $suite (apt-get update may help)"

	root=$(mktemp -d -p /var/tmp ctfy-base.XXXXXX)
	chmod 755 "$root"
	run_debootstrap "$mirror" || {
		tail -n 8 "$root.log" >&2
		fail "debootstrap $suite from $mirror failed (above; the whole log: $root.log)"
	}
	configure_packaging
	strip_root
	rm -f "$root.log"
	import_root "$debian" bash
}

make_debian() {
	local words
	image_exists "$debian" && return
	echo "base-image: pulling $debian"
	if words=$(timeout "$patience" "$docker" pull "$debian" 2>&1); then
		echo "base-image: $debian pulled in $SECONDS s"
		return
	fi
	echo "base-image: ${words##*$'\n'}"
	echo "base-image: making $debian by debootstrap instead"
	bootstrap_debian
	echo "base-image: $debian made in $SECONDS s"
}

make_busybox() {
	local applet
	image_exists "$busybox" && return
	[[ -x /bin/busybox ]] || fail "busybox-static is not installed; run: tools/deps.sh run"
	root=$(mktemp -d -p /var/tmp ctfy-base.XXXXXX)
	chmod 755 "$root"
	mkdir -p "$root"/{bin,etc,root,var}
	mkdir -m 1777 "$root"/{tmp,var/tmp}
	cp /bin/busybox "$root/bin/"
	for applet in $(/bin/busybox --list); do
		[[ -e $root/bin/$applet ]] || ln -s busybox "$root/bin/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	echo 'nobody:x:65534:65534:nobody:/:/bin/false' >>"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
	import_root "$busybox" sh --owner=0 --group=0
	echo "base-image: $busybox made"
}

timeout 10 "$docker" version >/dev/null 2>&1 || fail "no engine answers; run: tools/engine.sh"
make_debian
make_busybox
echo "base-image: $debian and $busybox are here"
