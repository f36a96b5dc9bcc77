#!/bin/busybox sh
# shellcheck shell=dash
# The guest's first process. The host's files, read-only over 9p, get the kernel's own files (modules and
# headers) and a tmpfs laid over them; in that tree runs the command which the host left in the share "lab".
# Output and exit status go back through the same share.

/bin/busybox mkdir -p /proc /dev /host /kernel /writes /lab /root
/bin/busybox --install -s /bin
export PATH=/bin

mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
for module in /modules/*.ko; do
    insmod "$module"
done

share() { # TAG DIRECTORY OPTIONS
    mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"
}
if ! { share root /host ro,cache=loose && share kernel /kernel ro,cache=loose && share lab /lab rw,cache=none; }; then
    poweroff -f
fi

mount -t tmpfs tmpfs /writes
mkdir /writes/upper /writes/work
mount -t overlay -o lowerdir=/kernel:/host,upperdir=/writes/upper,workdir=/writes/work overlay /root || poweroff -f

mount -t proc proc /root/proc
mount -t sysfs sysfs /root/sys
mount -t devtmpfs devtmpfs /root/dev
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs -o mode=1777 tmpfs /root/dev/shm
mount -t tmpfs -o mode=755 tmpfs /root/run
# devtmpfs has no such links; programs take them for granted.
ln -sf /proc/self/fd /root/dev/fd
ln -sf fd/0 /root/dev/stdin
ln -sf fd/1 /root/dev/stdout
ln -sf fd/2 /root/dev/stderr
mount -t securityfs securityfs /root/sys/kernel/security
mount -t debugfs debugfs /root/sys/kernel/debug
mount -t tracefs tracefs /root/sys/kernel/tracing
mount -t bpf bpf /root/sys/fs/bpf
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup

number=0
while IFS= read -r directory; do
    mkdir -p "/root$directory"
    share "write$number" "/root$directory" rw,cache=none
    number=$((number + 1))
done </lab/writable

hostname "$(cat /lab/hostname)"
ifconfig lo up
ulimit -Hn 524288
cp /lab/command /root/run/lab-command

# Pipes, as a host's command would have: a file would lose what is written after a program reopens /dev/stdout.
mkfifo /out /err
cat /out >>/lab/stdout &
out=$!
cat /err >>/lab/stderr &
err=$!
: >/lab/started
# Not in the background, where the shell would have SIGINT ignored; in a session of its own, so that `kill 0`
# ends no more than the command.
setsid chroot /root /bin/sh /run/lab-command </dev/null >/out 2>/err
status=$?

# What the command left running would hold the pipes open. Kernel threads have no exe and stay. Three rounds,
# because a process can fork between the listing and the kill.
for _ in 1 2 3; do
    for process in /proc/[0-9]*; do
        id=${process#/proc/}
        case $id in 1 | "$out" | "$err") continue ;; esac
        readlink "$process/exe" >/dev/null && kill -9 "$id"
    done
done
wait "$out" "$err"
sync
echo "$status" >/lab/status
poweroff -f
