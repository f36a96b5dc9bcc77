# shellcheck shell=dash
# What the guest's first processes have in common: kernel modules, the host's files, the end. Sourced.

prepare() {
    /bin/busybox mkdir -p /proc /sys /dev /.host /.kernel /.writes /.lab /.root /tmp /run
    /bin/busybox --install -s /bin
    export PATH=/bin
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t devtmpfs devtmpfs /dev
    for module in /modules/*.ko; do
        insmod "$module"
    done
    ifconfig lo up
    ulimit -Hn 524288
}

share() { # TAG DIRECTORY OPTIONS
    mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3" "$1" "$2"
}

# The host's files (or a root file system of another architecture), read-only over 9p, get the kernel's own files (modules and headers) and a tmpfs laid over
# them; directories that may be written to really are shares of their own.
mount_host() {
    if ! { share root /.host ro,cache=loose && share kernel /.kernel ro,cache=loose && share lab /.lab rw,cache=none; }; then
        poweroff -f
    fi
    mount -t tmpfs tmpfs /.writes
    mkdir /.writes/upper /.writes/work
    mount -t overlay -o lowerdir=/.kernel:/.host,upperdir=/.writes/upper,workdir=/.writes/work overlay /.root ||
        poweroff -f

    mount -t proc proc /.root/proc
    mount -t sysfs sysfs /.root/sys
    mount -t devtmpfs devtmpfs /.root/dev
    mkdir -p /.root/dev/pts /.root/dev/shm
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /.root/dev/pts
    mount -t tmpfs -o mode=1777 tmpfs /.root/dev/shm
    mount -t tmpfs -o mode=755 tmpfs /.root/run
    # devtmpfs has no such links; programs take them for granted.
    ln -sf /proc/self/fd /.root/dev/fd
    ln -sf fd/0 /.root/dev/stdin
    ln -sf fd/1 /.root/dev/stdout
    ln -sf fd/2 /.root/dev/stderr
    mount -t securityfs securityfs /.root/sys/kernel/security
    mount -t debugfs debugfs /.root/sys/kernel/debug
    mount -t tracefs tracefs /.root/sys/kernel/tracing
    mount -t bpf bpf /.root/sys/fs/bpf
    mount -t cgroup2 cgroup2 /.root/sys/fs/cgroup

    # Of another architecture's host, whose other files are of no use here.
    number=0
    [ ! -e /.lab/seen ] || while IFS= read -r directory; do
        mkdir -p "/.seen/$number" "/.writes/upper$number" "/.writes/work$number" "/.root$directory"
        share "see$number" "/.seen/$number" ro,cache=loose
        mount -t overlay -o "lowerdir=/.seen/$number,upperdir=/.writes/upper$number,workdir=/.writes/work$number" \
            overlay "/.root$directory"
        number=$((number + 1))
    done </.lab/seen

    number=0
    while IFS= read -r directory; do
        mkdir -p "/.root$directory"
        share "write$number" "/.root$directory" rw,cache=none
        number=$((number + 1))
    done </.lab/writable
    hostname "$(cat /.lab/hostname)"
}

# What a command left running would hold the pipes to the host open. Kernel threads have no exe and stay. Three
# rounds, because a process can fork between the listing and the kill.
finish() { # STATUS PROCESS... that pass on output
    status=$1
    shift
    for _ in 1 2 3; do
        for process in /proc/[0-9]*; do
            id=${process#/proc/}
            case " 1 $* " in *" $id "*) continue ;; esac
            readlink "$process/exe" >/dev/null && kill -9 "$id"
        done
    done
    wait "$@"
    sync
    echo "$status" >/.lab/status
    poweroff -f
}
