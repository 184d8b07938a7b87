#!/bin/sh
# Docker's own command line (DOCKER, "docker" unless it is set) against the engine at DOCKER_HOST: what README.md shows of rt, and what
# scripts rely on. Prints "good" in the end.
set -eu
[ -z "${TRACE:-}" ] || PS4="+tour "
cd "$(dirname "$0")"
. ./support.sh
docker=$(command -v "${DOCKER:-docker}")
docker() { "$docker" "$@"; }
image=rt-clients/busybox:tour
here=$(mktemp -d)
clean() {
  docker ps -aq --filter label=rt.clients=tour | while read -r id; do docker rm -f -v "$id" >/dev/null; done
  docker volume rm -f rt-clients-tour >/dev/null 2>&1 || true
  docker network rm rt-clients-tour >/dev/null 2>&1 || true
  docker rmi -f $image rt-clients/committed:tour rt-clients/other:tour >/dev/null 2>&1 || true
  rm -rf "$here"
}
trap clean EXIT

is() { # what, wanted, found
  [ "$2" = "$3" ] || { printf '%s: wanted "%s", found "%s"\n' "$1" "$2" "$3" >&2; exit 1; }
}
status() { # of a command that may fail
  set +e
  "$@" >"$here/out" 2>"$here/err"
  code=$?
  set -e
  echo $code
}
run() { docker run --label rt.clients=tour "$@"; }

# Images
root_archive | docker import - $image >/dev/null
is "images" $image "$(docker images --format '{{.Repository}}:{{.Tag}}' --filter reference=$image)"
docker tag $image rt-clients/other:tour
docker save rt-clients/other:tour >"$here/saved.tar"
docker rmi rt-clients/other:tour >/dev/null
is "load" "Loaded image: rt-clients/other:tour" "$(docker load -q -i "$here/saved.tar" || true)"
docker history -q $image >/dev/null
is "inspect" linux "$(docker image inspect -f '{{.Os}}' $image)"
is "no such image" 1 "$(status docker image inspect rt-clients/nosuch)"

# Running
is "run" hello "$(run --rm $image echo hello)"
is "exit status" 7 "$(status docker run --rm --label rt.clients=tour $image sh -c 'exit 7')"
is "not found" 127 "$(status docker run --rm --label rt.clients=tour $image /no/such/program)"
is "unknown image, never pulled" 125 "$(status docker run --rm --pull never rt-clients/nosuch true)"
is "stdin" "$(head -c 3000000 /dev/zero | sha256sum)" "$(head -c 3000000 /dev/zero | run --rm -i $image sha256sum)"
is "stderr" err "$(run --rm $image sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
is "environment" b "$(run --rm -e A=b $image sh -c 'echo $A')"
is "user" 7 "$(run --rm -u 7 $image id -u)"
is "hostname" inside "$(run --rm -h inside $image hostname)"
is "read-only" 1 "$(status docker run --rm --label rt.clients=tour --read-only $image touch /x)"
echo bound >"$here/file"
is "bind" bound "$(run --rm -v "$here:/mnt:ro" $image cat /mnt/file)"

# A life
id=$(run -d --name rt-clients-tour -p 127.0.0.1::8080 $image sh -c 'mkdir -p /www; echo served >/www/index.html; echo up; exec httpd -f -p 8080 -h /www')
is "id" 64 "${#id}"
is "ps" rt-clients-tour "$(docker ps --filter label=rt.clients=tour --format '{{.Names}}')"
is "name in use" 125 "$(status docker run --name rt-clients-tour --label rt.clients=tour $image true)"
grep -q "is already in use by container" "$here/err" || { cat "$here/err" >&2; exit 1; }
address=$(docker port rt-clients-tour 8080 | head -n 1)
i=0
until [ "$(curl -s "http://$address/index.html")" = served ]; do i=$((i + 1)); [ $i -lt 100 ]; sleep 0.1; done
is "logs" up "$(docker logs rt-clients-tour)"
is "exec" x "$(docker exec -e A=x rt-clients-tour sh -c 'echo $A')"
is "exec's status" 9 "$(status docker exec rt-clients-tour sh -c 'exit 9')"
is "exec -i" typed "$(echo typed | docker exec -i rt-clients-tour cat)"
docker cp "$here/file" rt-clients-tour:/tmp/copied 2>/dev/null
docker cp rt-clients-tour:/tmp/copied "$here/back" 2>/dev/null
is "cp" bound "$(cat "$here/back")"
is "cp to stdout" bound "$(docker cp rt-clients-tour:/tmp/copied - | tar -xO)"
docker diff rt-clients-tour | grep -q '^A /tmp/copied$'
docker top rt-clients-tour | grep -q httpd
docker stats --no-stream --format '{{.Name}}' rt-clients-tour | grep -q rt-clients-tour
docker pause rt-clients-tour >/dev/null
is "paused" paused "$(docker inspect -f '{{.State.Status}}' rt-clients-tour)"
docker unpause rt-clients-tour >/dev/null
docker commit rt-clients-tour rt-clients/committed:tour >/dev/null
is "commit" bound "$(run --rm rt-clients/committed:tour cat /tmp/copied)"
docker export rt-clients-tour | tar -t | grep -q '^tmp/copied$'
docker update --restart on-failure:2 rt-clients-tour >/dev/null
is "update" on-failure "$(docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' rt-clients-tour)"
docker restart -t 1 rt-clients-tour >/dev/null
docker rename rt-clients-tour rt-clients-renamed
docker stop -t 1 rt-clients-renamed >/dev/null
docker start rt-clients-renamed >/dev/null
docker kill rt-clients-renamed >/dev/null
is "wait" 137 "$(docker wait rt-clients-renamed)"
is "rm" rt-clients-renamed "$(docker rm rt-clients-renamed)"
is "no such container" 1 "$(status docker inspect rt-clients-renamed)"
id=$(docker create -i --label rt.clients=tour $image cat)
is "start -ai" "read back" "$(echo 'read back' | docker start -ai "$id")"

# Volumes and networks
docker volume create --label rt.clients=tour rt-clients-tour >/dev/null
run --rm -v rt-clients-tour:/v $image sh -c 'echo kept >/v/file'
is "volume" kept "$(run --rm --mount type=volume,src=rt-clients-tour,dst=/v,ro $image cat /v/file)"
docker network create rt-clients-tour >/dev/null
run -d --name rt-clients-web --network rt-clients-tour $image sh -c 'mkdir /www; echo named >/www/index.html; exec httpd -f -p 80 -h /www' >/dev/null
is "names" named "$(run --rm --network rt-clients-tour $image sh -c 'until wget -q -O - http://rt-clients-web/index.html; do sleep 0.1; done')"
docker rm -f rt-clients-web >/dev/null
docker network inspect rt-clients-tour >/dev/null

# The system
docker version >/dev/null
docker info >/dev/null 2>&1
docker system df >/dev/null
now=$(date +%s)
docker events --since $((now - 600)) --until "$now" --filter type=container --format '{{.Action}}' | grep -q '^die$'
docker container prune -f --filter label=rt.clients=tour >/dev/null
echo good
