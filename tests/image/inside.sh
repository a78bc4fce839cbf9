#!/bin/sh
# inside.sh ROOT NAME=VALUE… COMMAND…: runs a command of the image that is mounted at ROOT as a platform should run it:
# the root read-only, a /tmp of its own, user 10001, no capability and none to be had. The network and the numbers of
# processes are this machine's. It becomes the command, so who started it has the command's own process.
# With IMAGE_TESTS=FOLDER that folder is there too, as /mnt/tests.
set -eu
exec unshare --mount --propagation private -- sh -eu -c '
root=$1
shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
if [ -n "${IMAGE_TESTS:-}" ]; then
    mount -t tmpfs -o mode=0755 tmpfs "$root/mnt"
    mkdir "$root/mnt/tests"
    mount --bind "$IMAGE_TESTS" "$root/mnt/tests"
    mount -o remount,bind,ro "$root/mnt/tests"
fi
exec chroot "$root" setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --bounding-set=-all \
    --inh-caps=-all --pdeathsig=KILL -- env --chdir=/app "$@"
' sh "$@"
