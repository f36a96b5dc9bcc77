#!/bin/busybox sh
# shellcheck shell=dash
# The guest's first process. In a tree of the host's files (see guest_common.sh) runs the command which the host
# left in the share "lab". Output and exit status go back through the same share.

# shellcheck source=ebpf_lab/vm/guest_common.sh
. /common

prepare
mount_host
# 10.0.2.2 is the host, by QEMU's own network; there is no way further.
[ ! -e /sys/class/net/eth0 ] || ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
cp /.lab/command /.root/run/lab-command

# Pipes, as a host's command would have: a file would lose what is written after a program reopens /dev/stdout.
mkfifo /out /err
cat /out >>/.lab/stdout &
out=$!
cat /err >>/.lab/stderr &
err=$!
: >/.lab/started
# Who is in a chroot may not make user namespaces: laid over "/", the host's files are the root of a machine. (What is
# opened already, as this process's own root, stays as it was.)
cd /.root || poweroff -f
mount -o move . / || poweroff -f
# Not in the background, where the shell would have SIGINT ignored; in a session of its own, so that `kill 0`
# ends no more than the command.
setsid chroot . /bin/sh /run/lab-command </dev/null >/out 2>/err
finish $? "$out" "$err"
