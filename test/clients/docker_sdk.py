"""Python's docker SDK against the engine at DOCKER_HOST. Prints "good" in the end."""
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time

import docker

IMAGE = "rt-clients/busybox:py"
client = docker.from_env()
mine = {"filters": {"label": "rt.clients=python"}}
usual = {"labels": {"rt.clients": "python"}}


def until(what, holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"it took too long until {what}"
        time.sleep(0.05)


def root_archive():
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        os.makedirs(f"{directory}/bin")
        os.makedirs(f"{directory}/tmp")
        shutil.copy(os.environ.get("RT_CLIENTS_BUSYBOX", "/bin/busybox"), f"{directory}/bin/busybox")
        for word in ["sh", "cat", "echo", "sleep", "ls", "true", "id", "hostname", "touch"]:
            os.symlink("busybox", f"{directory}/bin/{word}")
        return subprocess.check_output(["tar", "-C", directory, "-c", "."])


def fails(status, call):
    try:
        call()
    except docker.errors.APIError as error:
        assert error.response.status_code == status, error
        return error.explanation
    raise AssertionError(f"it did not fail with {status}")


def images():
    assert client.ping() is True
    assert client.version()["Os"] == "linux"
    client.api.import_image_from_data(root_archive(), repository=IMAGE.split(":")[0], tag="py")
    image = client.images.get(IMAGE)
    assert IMAGE in image.tags
    assert image.tag("rt-clients/other", "2")
    saved = b"".join(client.api.get_image("rt-clients/other:2"))
    client.images.remove("rt-clients/other:2")
    loaded = client.images.load(saved)
    assert "rt-clients/other:2" in loaded[0].attrs["RepoTags"], loaded[0].attrs
    client.images.remove("rt-clients/other:2")
    try:
        client.images.get("rt-clients/nosuch")
    except docker.errors.ImageNotFound:
        pass
    else:
        raise AssertionError("an image that is not there was found")


def runs():
    assert client.containers.run(IMAGE, ["echo", "hello"], remove=True, **usual) == b"hello\n"
    try:
        client.containers.run(IMAGE, ["sh", "-c", "echo no >&2; exit 5"], remove=True, **usual)
    except docker.errors.ContainerError as error:
        assert error.exit_status == 5 and error.stderr == b"no\n", error
    else:
        raise AssertionError("a failure was none")
    found = fails(409, lambda: twice("rt-clients-twice"))
    assert "is already in use" in found, found
    client.containers.get("rt-clients-twice").remove(force=True)


def twice(name):
    client.containers.create(IMAGE, ["true"], name=name, **usual)
    client.containers.create(IMAGE, ["true"], name=name, **usual)


def lives():
    container = client.containers.run(IMAGE, ["sh", "-c", "echo up; exec sleep 600"], detach=True, environment={"A": "b"}, hostname="inside", **usual)
    until("it has said so", lambda: container.logs() == b"up\n")
    assert container.status in ("created", "running")
    container.reload()
    assert container.status == "running" and container.attrs["Config"]["Hostname"] == "inside"
    code, output = container.exec_run(["sh", "-c", "echo $A; hostname; exit 3"])
    assert (code, output) == (3, b"b\ninside\n")
    code, output = container.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
    assert (code, output) == (0, (b"o\n", b"e\n"))
    assert b"".join(container.exec_run(["echo", "bit"], stream=True).output) == b"bit\n"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"data"))
    assert container.put_archive("/tmp", archive.getvalue())
    pieces, stat = container.get_archive("/tmp/file")
    assert stat["name"] == "file" and stat["size"] == 4
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert tar.extractfile("file").read() == b"data"
    assert any(change["Path"] == "/tmp/file" for change in container.diff())
    assert container.stats(stream=False)["name"] == "/" + container.name
    assert container.top()["Titles"]
    lines = []
    following = threading.Thread(target=lambda: lines.extend(container.logs(stream=True, follow=True)))
    following.start()
    container.stop(timeout=1)
    following.join(30)
    assert lines == [b"up\n"], lines
    assert container.wait()["StatusCode"] == 137
    container.restart(timeout=1)
    container.reload()
    assert container.status == "running"
    container.kill()
    container.wait()
    container.remove(v=True)
    fails(404, lambda: client.containers.get(container.id))


def terminal():
    container = client.containers.create(IMAGE, ["cat"], tty=True, stdin_open=True, **usual)
    socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    raw = getattr(socket, "_sock", socket)
    raw.sendall(b"typed\n")
    said = b""
    raw.settimeout(30)
    while said.count(b"typed\r\n") < 2:
        said += raw.recv(100)
    socket.close()
    container.remove(force=True)


def nouns():
    volume = client.volumes.create("rt-clients-py", **usual)
    assert client.containers.run(IMAGE, ["sh", "-c", "echo kept > /v/f"], volumes={"rt-clients-py": {"bind": "/v", "mode": "rw"}}, remove=True, **usual) == b""
    kept = client.containers.run(IMAGE, ["cat", "/v/f"], volumes={"rt-clients-py": {"bind": "/v", "mode": "ro"}}, remove=True, **usual)
    assert kept == b"kept\n"
    volume.remove()
    network = client.networks.create("rt-clients-py", driver="bridge", **usual)
    container = client.containers.run(IMAGE, ["sleep", "600"], detach=True, network="rt-clients-py", **usual)
    network.reload()
    assert [each.id for each in network.containers] == [container.id]
    network.disconnect(container)
    container.remove(force=True)
    network.remove()
    assert client.df()["LayersSize"] > 0
    since = int(time.time()) - 120
    actions = {event["Action"] for event in client.events(since=since, until=int(time.time()) + 1, decode=True)}
    assert {"create", "start", "die", "destroy"} <= actions, actions


for left in client.containers.list(all=True, **mine):
    left.remove(force=True)
images()
runs()
lives()
terminal()
nouns()
assert client.containers.list(all=True, **mine) == []
client.images.remove(IMAGE)
print("good")
