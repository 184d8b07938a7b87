#!/bin/sh
# Compose (COMPOSE="docker-compose" or "docker compose") against the engine at DOCKER_HOST. Prints "good" in the end.
set -eu
cd "$(dirname "$0")"
. ./support.sh
image=rt-clients/busybox:compose
engine() { curl -sS --fail-with-body --unix-socket "${DOCKER_HOST#unix://}" "$@"; }
compose() { ${COMPOSE:-docker-compose} -p rtclients -f compose.yaml "$@"; }
fail() { echo "$1" >&2; exit 1; }
clean() {
  compose down -v >/dev/null 2>&1 || true
  engine -X DELETE "http://engine/images/$image?force=1" >/dev/null 2>&1 || true
}
trap clean EXIT

root_archive | engine -H "Content-Type: application/x-tar" --data-binary @- "http://engine/images/create?fromSrc=-&repo=${image%:*}&tag=${image#*:}" >/dev/null
compose up -d
[ "$(compose ps -q | wc -l)" = 3 ] || fail "not three containers"
compose ps | grep -q web || fail "ps does not show web"
i=0
until compose logs app | grep -q "served"; do i=$((i + 1)); [ $i -lt 100 ] || fail "app did not reach web"; sleep 0.2; done
[ "$(compose exec -T app sh -c 'echo $MODE')" = fast ] || fail "exec has another environment"
[ "$(compose exec -T store cat /data/file)" = kept ] || fail "the volume is not there"
address=$(compose port web 8080)
[ "$(curl -s "http://$address/index.html")" = served ] || fail "the published port leads nowhere"
compose logs -f app >"${TMPDIR:-/tmp}/rtclients.log" 2>&1 &
follower=$!
compose restart app
compose up -d --scale store=2
[ "$(compose ps -q store | wc -l)" = 2 ] || fail "store was not scaled"
compose stop app
wait $follower
[ "$(grep -c "app is up" "${TMPDIR:-/tmp}/rtclients.log")" -ge 1 ] || fail "logs -f has nothing"
rm -f "${TMPDIR:-/tmp}/rtclients.log"
compose start app
compose down -v
[ -z "$(compose ps -q)" ] || fail "something is left"
echo good
