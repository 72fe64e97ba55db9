#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pulls through the engine room from real registries on this machine: one open, one with passwords.
#
#	engine-registry.sh ENGINE-CALL
set -euo pipefail

engine_call=$(realpath "$1")
cd "$(dirname "$0")/../.."
url=${DOCKER_HOST:-unix:///var/run/docker.sock}
docker=/usr/bin/docker # Debian's: another in PATH may be too new for this engine
image=ctfy-engine-$$
used=()

skip() {
	echo "$*"
	[[ ${CI:-} ]] && exit 1
	exit 77
}

on_exit() {
	local status=$?
	"$docker" image rm -f "${used[@]}" >/dev/null 2>&1 || true
	tools/registry.sh stop "$dir/open"
	tools/registry.sh stop "$dir/closed"
	rm -rf "$dir"
	exit "$status"
}

# call OUTPUT-PATTERN COMMAND...: what engine-call prints matches the pattern.
call() {
	local pattern=$1 output
	shift
	output=$("$engine_call" "$url" 60000 "$@" || true)
	if [[ ! $output =~ $pattern ]]; then
		echo "engine-call $*: expected '$pattern', got:"
		echo "$output"
		exit 1
	fi
}

push() {
	used+=("$1")
	"$docker" tag ctfy/busybox "$1"
	"$docker" --config "$dir" push --quiet "$1"
	"$docker" image rm "$1" >/dev/null
}

type -P docker-registry htpasswd >/dev/null || skip "no docker-registry; run: tools/deps.sh test"
"$docker" image inspect ctfy/busybox >/dev/null 2>&1 || skip "no engine with ctfy/busybox"
dir=$(mktemp -d -t ctfy-engine.XXXXXX)
trap on_exit EXIT
open=$(tools/registry.sh start "$dir/open")
closed=$(tools/registry.sh start "$dir/closed" --auth 'joe:s3cret?~')
printf '{"auths": {"%s": {"auth": "%s"}}}' "$closed" "$(printf 'joe:s3cret?~' | base64)" \
	>"$dir/config.json"

echo "# an open registry"
push "$open/$image:one"
push "$open/team/$image:latest"
call '^error not-found: .*one' create "$image" "$open/$image:one"
call "Pulling from $image.*Status: Downloaded newer image" pull "$open/$image:one"
call '^exists 1$' exists "$open/$image:one"
call 'Status: Image is up to date' pull "$open/$image:one"
call 'Status: Downloaded newer image' pull "$open/team/$image"
call "^error not-found: pull image '$open/$image:two': .*manifest.*not found" pull "$open/$image:two"
call "^error (not-found|engine): pull image '$open/none/such': " pull "$open/none/such"

echo "# by digest"
digest=$("$docker" image inspect --format '{{index .RepoDigests 0}}' "$open/$image:one")
digest=$open/$image@${digest#*@}
used+=("$digest")
"$docker" image rm -f "$open/$image:one" "$open/team/$image:latest" >/dev/null
call '^exists 0$' exists "$digest"
call 'Status: Downloaded newer image' pull "$digest"
call '^exists 1$' exists "$digest"

echo "# a registry with passwords"
push "$closed/$image:one"
call "^error (engine|not-found): pull image '$closed/$image:one': .*(no basic auth credentials|denied)" \
	pull "$closed/$image:one"
call "^error (engine|not-found): pull image '$closed/$image:one': .*unauthorized" \
	pull "$closed/$image:one" joe wrong
call 'Status: Downloaded newer image' pull "$closed/$image:one" joe 's3cret?~'
call '^exists 1$' exists "$closed/$image:one"
